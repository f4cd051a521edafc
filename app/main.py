"""The hall: builds the parts and hands them on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import __version__, problems
from app.errors import NotReady
from app.model import saved_model
from app.model.versions import ModelError, choose_version
from app.reader import Reader
from app.routes import health, model, predict
from app.settings import Settings
from app.telemetry import RequestId
from app.unread import UnreadBody

log = logging.getLogger("digits")


def create_app(settings: Settings) -> FastAPI:
    """The service. It answers at once; the model is loaded in the background, and /readyz says when it is there."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
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
    app.add_middleware(UnreadBody)
    app.add_middleware(RequestId)
    problems.install(app)
    for routes in (predict, model, health):
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
    log.info("ready: %s version %d", served.name, served.version)
