"""The hall: builds the parts and hands them on."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from app import __version__, problems
from app.errors import NotReady
from app.hot_path import HotPath
from app.model import saved_model
from app.model.versions import ModelError, choose_version
from app.reader import Reader
from app.routes import explain, health, metrics, model, page, predict, read
from app.settings import Settings
from app.signals import end_in_order
from app.telemetry.log import RequestLog
from app.telemetry.observed import Observed
from app.unread import UnreadBody

log = logging.getLogger("digits")

# Objects that come to life before the garbage collector looks at the young ones. Requests leave hardly any cycles,
# and at Python's 700 it looks at them several times a batch.
GARBAGE_THRESHOLD = 20_000


def create_service(settings: Settings) -> ASGIApp:
    """The service as it is served."""
    return surround(create_app(settings))


def surround(app: FastAPI) -> ASGIApp:
    """What stands around the application: ids, metrics and log, and the hot path in front of all."""
    return HotPath(Observed(UnreadBody(app), RequestLog(app.state.settings.log_format)), app.state)


def create_app(settings: Settings) -> FastAPI:
    """The application. It answers at once; the model is loaded in the background, and /readyz says when it is there."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        end_in_order()  # by now uvicorn has taken the signals
        loading = asyncio.create_task(_load(app, settings))
        yield
        await loading

    app = FastAPI(
        title="Digits",
        summary="Reads handwritten digits: a picture in, the digit and its probabilities out.",
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would name whatever host the client claims to have called
    )
    app.state.settings = settings
    app.state.reader = None
    app.state.not_ready = NotReady.example
    problems.install(app)
    for routes in (page, predict, read, explain, model, health, metrics):
        app.include_router(routes.router)
    return app


async def _load(app: FastAPI, settings: Settings) -> None:
    """Puts a reader with the chosen version into place, or the reason why there is none into the log."""
    try:
        version = choose_version(settings.model_dir.absolute(), settings.wanted_version)
        served = await asyncio.to_thread(saved_model.load, version)
    except Exception as error:
        app.state.not_ready = "The model could not be loaded; the service's log says why."
        log.error("not ready: %s", error, exc_info=None if isinstance(error, ModelError) else error)
        return
    app.state.reader = Reader(served, settings.max_pixels, settings.max_batch, settings.max_pending)
    _freeze_heap()
    log.info("ready: %s version %d", served.name, served.version)


def _freeze_heap() -> None:
    """Takes what is loaded out of the garbage collector's sight.

    TensorFlow leaves 300,000 objects that live for ever; each full collection looked at all of them, which stopped
    every request for 180 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 10, 10)
