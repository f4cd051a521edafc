"""Liveness and readiness, three things apart: the process is up; a model is loaded and warm; it is stopping."""

from fastapi import APIRouter

from app.errors import NotReady
from app.problems import examples
from app.routes.dependencies import CurrentLifecycle, ReadyReader
from app.routes.schemas import ModelRef, Ready, Status

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is the process up?")
async def livez() -> Status:
    """200 as soon as the process answers, with or without a model."""
    return Status(status="alive")


@router.get("/readyz", summary="Is a model loaded and warm?", responses=examples(NotReady))
@router.get("/health", include_in_schema=False)
@router.get("/healthz", include_in_schema=False)
async def readyz(reader: ReadyReader, lifecycle: CurrentLifecycle) -> Ready:
    """200 once a model is loaded, checked and warmed up, in each process that serves, and 503 until then.

    503 again from SIGTERM on, while everything else is answered. `/health` and `/healthz` say the same.
    """
    if lifecycle.stopping:
        raise NotReady("The service is stopping; what still comes is answered.")
    if not lifecycle.all_loaded:
        raise NotReady("The model is still being loaded by another process of the service; try again in a second.")
    return Ready(status="ready", model=ModelRef(name=reader.model.name, version=reader.model.version))
