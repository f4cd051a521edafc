"""One replica: a process of a Ray cluster in which the application lives as it does under uvicorn."""

import logging.config
import signal
from functools import partial
from typing import Any

from starlette.types import ASGIApp

from app.cluster.replaced import keep_to_the_node
from app.model.runtime import ONE_THREAD, prepare_environment
from app.process.signals import SIGNALS
from app.settings import Settings

APPLICATION, DEPLOYMENT = "digits", "Digits"
# Requests under way at each replica when it is worth to have another: they share calls of the model, and with fewer the
# core has time to spare.
TARGET = 16
# More than so many share no larger calls of the model. What comes then is asked of another replica, or waits at the
# proxy, of which each keeps `max_pending`: beyond that, 503.
AT_ONCE = 64
WAIT_LOOP_SECONDS = 0.5  # how often a replica that is to end looks whether its requests are answered
HEALTH_SECONDS = 5


class Digits:
    """What Ray Serve makes once in each replica's process. Imports nothing large before it is made."""

    def __init__(self, settings: Settings) -> None:
        # This is the thread of the replica's event loop, in which the model runs, and from which all other threads that
        # run it come. None is interrupted by a signal then (`app.process.signals` says why): Ray takes it in the main
        # thread.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        prepare_environment(ONE_THREAD)
        keep_to_the_node()
        self._settings = settings

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The service. It is not ready before it has a model, and Ray asks it nothing until then."""
        from app.cluster.figures import of_all_replicas
        from app.cluster.headers import WithHeaders
        from app.main import create_app, surround
        from app.process.lifecycle import Lifecycle
        from app.process.server import HEADERS
        from app.telemetry.log import logging_config

        logging.config.dictConfig(logging_config(self._settings.log_format))
        app = create_app(self._settings, Lifecycle(replaces=True))
        app.state.figures = partial(of_all_replicas, APPLICATION, DEPLOYMENT)
        self._state = app.state
        return WithHeaders(surround(app), HEADERS)

    async def check_health(self) -> None:
        """As Ray asks for it, at first and again and again. Raises: RuntimeError, when there is no model."""
        if self._state.reader is None:
            raise RuntimeError(self._state.not_ready)

    async def figures(self) -> tuple[str, bytes]:
        """The id of this replica, and what it has counted, for the replica that is asked for everybody's."""
        from app.cluster.figures import of_this_replica

        return await of_this_replica(self._settings.engine)


def settings_for_replicas(settings: Settings) -> Settings:
    """`settings` as they mean the same in every process."""
    return settings.model_copy(update={"model_dir": settings.model_dir.absolute()})


def application(settings: Settings, most: int, cpus: float, environment: dict[str, str]) -> Any:
    """The application as Ray Serve takes it: `settings.workers` replicas at least and `most` at most, `cpus` for each.

    `environment`: of the replicas, in addition to their nodes'.
    """
    from ray import serve

    fewest = settings.workers
    number: dict[str, Any] = {"num_replicas": fewest}
    if most > fewest:
        scaling = {"min_replicas": fewest, "max_replicas": most, "target_ongoing_requests": TARGET}
        number = {"autoscaling_config": scaling}
    deployment = serve.deployment(
        serve.ingress()(Digits),
        name=DEPLOYMENT,
        ray_actor_options={"num_cpus": cpus, "runtime_env": {"env_vars": environment}},
        max_ongoing_requests=min(AT_ONCE, settings.max_pending),
        max_queued_requests=settings.max_pending,
        graceful_shutdown_wait_loop_s=WAIT_LOOP_SECONDS,
        graceful_shutdown_timeout_s=settings.answer_seconds,
        health_check_period_s=HEALTH_SECONDS,
        logging_config={"enable_access_log": False},  # the service has a line for each request itself
        **number,
    )
    return deployment.bind(settings)
