"""What routes get from the hall: the settings and, once the model is loaded, the reader."""

from typing import Annotated

from fastapi import Depends, Request

from app.errors import NotReady
from app.process.lifecycle import Lifecycle
from app.reader import Reader
from app.settings import Settings


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _lifecycle(request: Request) -> Lifecycle:
    lifecycle: Lifecycle = request.app.state.lifecycle
    return lifecycle


async def _ready_reader(request: Request) -> Reader:
    reader: Reader | None = request.app.state.reader
    if reader is None:
        raise NotReady(request.app.state.not_ready)
    return reader


CurrentSettings = Annotated[Settings, Depends(_settings)]
CurrentLifecycle = Annotated[Lifecycle, Depends(_lifecycle)]
ReadyReader = Annotated[Reader, Depends(_ready_reader)]
