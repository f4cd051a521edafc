"""The application put on a cluster, and taken from it."""

import logging
import signal
import threading
from typing import Any

from app.cluster.connect import connected, environment_of_workers
from app.cluster.errors import ClusterError
from app.cluster.replica import APPLICATION, application, settings_for_replicas
from app.model.versions import first_line
from app.settings import Settings
from app.signals import SIGNALS

log = logging.getLogger("digits")


def serve(settings: Settings, address: str | None, most: int | None, cpus: float) -> None:
    """Has replicas serve `settings`: on a cluster of this machine's own until a signal, or on the one at `address`,
    where they stay when this returns, and replace one after the other those that are there.

    Raises: ClusterError, ModelError.
    """
    with connected(address, logs=address is None) as ray:
        _see_whether_it_fits(ray, settings.workers, cpus)
        _deploy(settings, most or settings.workers, cpus)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        log.info("listening on http://%s:%d", host, settings.port)
        if address is None:
            _wait_for_a_signal()
            log.info("stopping")
            _serve_api().shutdown()
    if address is None:
        log.info("stopped")


def stop_serving(address: str) -> None:
    """Ends the service on the cluster at `address`, and Ray Serve, if nothing else is served by it.

    Raises: ClusterError.
    """
    with connected(address):
        api = _serve_api()
        if APPLICATION not in api.status().applications:
            raise ClusterError(f"The service doesn't run on the cluster at {address}.")
        api.delete(APPLICATION)
        if not api.status().applications:
            api.shutdown()
    log.info("stopped")


def _deploy(settings: Settings, most: int, cpus: float) -> None:
    api = _serve_api()
    http = {
        "host": settings.host,
        "port": settings.port,
        "location": "EveryNode",
        # of the whole request; the service's own answer comes first
        "request_timeout_s": settings.receive_seconds + settings.answer_seconds,
    }
    try:
        api.start(http_options=http, logging_config={"enable_access_log": False, "log_level": "WARNING"})
        api.run(
            application(settings_for_replicas(settings), most, cpus, environment_of_workers()),
            name=APPLICATION,
            route_prefix="/",
        )
    except RuntimeError as error:
        raise ClusterError(f"The service can't be started there: {first_line(error)}") from error


def _see_whether_it_fits(ray: Any, fewest: int, cpus: float) -> None:
    """Ray would wait for more machines, for ever. Raises: ClusterError."""
    there = float(ray.cluster_resources().get("CPU", 0))
    if fewest * cpus > there:
        raise ClusterError(f"{fewest} replicas of {cpus:g} CPUs don't fit into the {there:g} CPUs there are.")


def _serve_api() -> Any:
    from ray import serve  # takes a second

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # of each step
    return serve


def _wait_for_a_signal() -> None:
    """In the main thread, after Ray's start, which takes SIGTERM for itself. This process runs no model."""
    came = threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: came.set())
    came.wait()
