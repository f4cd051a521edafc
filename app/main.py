"""The hall: builds the parts and hands them on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app import __version__, openapi, problems
from app.access.cross_origin import CrossOrigin
from app.access.entrance import Entrance, refuse
from app.errors import NotReady
from app.hot_path import HotPath
from app.images import fitting
from app.model.engines import choose_engine
from app.model.model import Model
from app.model.watch import Watch
from app.process.lifecycle import Lifecycle
from app.reader import Reader
from app.routes import documentation, explain, health, metrics, model, open_inference, page, predict, read, tf_serving
from app.routes.body import ARRIVING_BYTES, Arriving
from app.routes.head import heads_of
from app.settings import Settings
from app.telemetry import metrics as telemetry
from app.telemetry.log import RequestLog
from app.telemetry.observed import Observed
from app.wire.ending import AnsweredAnyway
from app.wire.host import OneHost
from app.wire.unread import UnreadBody

REPLACE_SECONDS = 30  # a worker is ready after 3; a disk that fails may be well again


def create_service(settings: Settings, lifecycle: Lifecycle | None = None) -> ASGIApp:
    """The service as it is served."""
    return surround(create_app(settings, lifecycle))


def surround(app: FastAPI) -> ASGIApp:
    """What stands around the application: ids, metrics and log, and the hot path in front of all.

    Before that, where they are wanted, who may ask, and which pages of other sites.
    """
    settings: Settings = app.state.settings
    lifecycle: Lifecycle = app.state.lifecycle
    log = RequestLog(settings.log_format)

    def observed(app: ASGIApp) -> Observed:
        return Observed(UnreadBody(AnsweredAnyway(OneHost(app), lifecycle)), log)

    service: ASGIApp = HotPath(observed(app), app.state)
    if settings.api_keys:
        service = Entrance(service, observed(refuse), settings.api_keys, settings.metrics_open)
    return CrossOrigin(service, settings.cors_origins, observed) if settings.cors_origins else service


def create_app(settings: Settings, lifecycle: Lifecycle | None = None) -> FastAPI:
    """The application. It answers at once; the model is loaded in the background, and /readyz says when it is there."""
    lifecycle = lifecycle or Lifecycle()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        folder, wanted = settings.model_dir.absolute(), settings.wanted_version
        watch = Watch(choose_engine(settings.engine), folder, wanted, settings.watch_seconds, partial(_serve, app))
        watch.start()
        if lifecycle.replaces:  # who waits at a worker that died shall not meet one that can't answer
            await _wait_for_a_model(app)
        yield
        await asyncio.to_thread(watch.stop)

    app = FastAPI(
        title="Digits",
        summary="Reads handwritten digits: a picture in, the digit and its probabilities out.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own loads swagger-ui from elsewhere; app.routes.documentation doesn't
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host the client claims to have called
    )
    app.state.settings = settings
    app.state.lifecycle = lifecycle
    app.state.reader = None
    app.state.figures = partial(run_in_threadpool, telemetry.render, settings.engine)
    app.state.not_ready = NotReady.example
    app.state.arriving = Arriving(max(ARRIVING_BYTES, settings.max_upload_bytes))
    problems.install(app)
    rooms = (page, documentation, predict, read, explain, model, health, metrics, open_inference, tf_serving)
    routers = [router for room in rooms for router in (room.router, heads_of(room.router))]
    app.state.methods = problems.methods_by_path(routers)
    for router in routers:
        app.include_router(router)
    openapi.complete(app)
    return app


async def _wait_for_a_model(app: FastAPI) -> None:
    """Waits for REPLACE_SECONDS at most: those who are waiting by then are to learn that there is none."""
    for _ in range(REPLACE_SECONDS * 100):
        if app.state.reader is not None:
            return
        app.state.lifecycle.beat()
        await asyncio.sleep(0.01)


def _serve(app: FastAPI, model: Model | None) -> None:
    """From now on `model` answers; None: there is none to begin with, and the service's log says why."""
    reader: Reader | None = app.state.reader
    settings: Settings = app.state.settings
    if model is None:
        app.state.not_ready = "The model could not be loaded; the service's log says why."
        return
    if reader is None:
        app.state.reader = Reader(model, settings.max_pixels, settings.max_batch, settings.max_pending)
    else:
        app.state.reader = reader.with_model(model)
    app.state.lifecycle.mark_loaded()
    if settings.engine == "tensorflow":  # with the other, who never sends what has to be fitted saves the memory
        fitting.import_now()
