"""The application put on a cluster, and taken from it."""

import logging
import signal
import threading
import time
from typing import Any

from app.cluster.connect import connected, environment_of_workers
from app.cluster.errors import ClusterError, last_cause, reason
from app.cluster.replica import APPLICATION, application, settings_for_replicas
from app.process.signals import SIGNALS
from app.settings import Settings

START_SECONDS = 120  # for each replica: they may start one after the other
LOOK_SECONDS = 0.2
STOP_SECONDS = 15  # for what is being answered; with Ray's own end it is below the 30 that Kubernetes waits

log = logging.getLogger("digits")


def serve(settings: Settings, address: str | None, most: int | None, cpus: float) -> None:
    """Has replicas serve `settings`: on a cluster of this machine's own until a signal, or on the one at `address`,
    where they stay when this returns, and replace one after the other those that are there.

    Raises: ClusterError, ModelError.
    """
    came = threading.Event()
    _hear_signals(came)
    with connected(address, logs=address is None) as ray:
        _see_whether_it_fits(ray, settings.workers, cpus)
        if not came.is_set():
            _deploy(settings, most or settings.workers, cpus, came)
            _go_on(settings, address, came)
    if address is None:
        log.info("stopped")
    elif came.is_set():
        raise ClusterError("Interrupted. The cluster goes on with what it was told by then; --stop ends that.")


def _go_on(settings: Settings, address: str | None, came: threading.Event) -> None:
    """With a Ray of this machine's own: until a signal comes, and Serve has ended."""
    if not came.is_set():
        host, port = _place()
        if (host, port) != (settings.host, settings.port):
            log.warning("--host and --port are those of the first start there, until --stop")
        log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    if address is None:
        came.wait()
        log.info("stopping")
        _shut_down()


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


def _deploy(settings: Settings, most: int, cpus: float, came: threading.Event) -> None:
    """Returns when all replicas have these settings and a model, or when a signal `came`. Raises: ClusterError."""
    from ray.exceptions import RayError

    api = _serve_api()
    http = {
        "host": settings.host,
        "port": settings.port,
        "location": "EveryNode",
        # of the whole request; the service's own answer comes first
        "request_timeout_s": settings.receive_seconds + settings.answer_seconds,
    }
    new = api.RunTarget(
        application(settings_for_replicas(settings), most, cpus, environment_of_workers()),
        name=APPLICATION,
        route_prefix="/",
    )
    try:
        api.start(http_options=http, logging_config={"enable_access_log": False, "log_level": "WARNING"})
        if not came.is_set():
            api.run_many([new], wait_for_applications_running=False)
            _wait_for_replicas(api, START_SECONDS * settings.workers, came)
    except (RuntimeError, TimeoutError, RayError) as error:
        raise ClusterError(f"The service can't be started there: {reason(error)}") from error


def _wait_for_replicas(api: Any, seconds: float, came: threading.Event) -> None:
    """Ray itself would wait for ever. Raises: ClusterError."""
    deadline = time.monotonic() + seconds
    while not came.wait(LOOK_SECONDS):
        state = api.status().applications[APPLICATION]
        if state.status == "RUNNING":
            return
        if state.status == "DEPLOY_FAILED":
            why = [each.message for each in state.deployments.values() if each.message] or [state.message]
            raise ClusterError(f"The replicas don't start: {last_cause(why[0])}")
        if time.monotonic() > deadline:
            raise ClusterError(f"Not all replicas had a model after {seconds:g} s: what they log says why.")


def _shut_down() -> None:
    """Ends Ray Serve."""
    from ray.serve.context import _get_global_client

    _get_global_client().shutdown(timeout_s=STOP_SECONDS)


def _place() -> tuple[str, int]:
    """Where the proxies listen."""
    from ray.serve.context import _get_global_client

    http = _get_global_client().http_config
    return http.host, http.port


def _see_whether_it_fits(ray: Any, fewest: int, cpus: float) -> None:
    """Ray would wait for more machines, for ever. Raises: ClusterError."""
    there = float(ray.cluster_resources().get("CPU", 0))
    if fewest * cpus > there:
        raise ClusterError(f"{fewest} replicas of {cpus:g} CPUs don't fit into the {there:g} CPUs there are.")


def _serve_api() -> Any:
    from ray import serve  # takes a second

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # of each step
    return serve


def _hear_signals(came: threading.Event) -> None:
    """In the main thread. This process runs no model. No exception: it would come in the middle of Ray's C++."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: came.set())
