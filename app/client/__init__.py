"""A client of the service, for those who wait (`Client`) and those who don't (`AsyncClient`).

    with Client("http://127.0.0.1:8000") as client:
        print(client.predict("scan.jpg").digit)

Imports nothing of the service: httpx is all it needs.
"""

from typing import TYPE_CHECKING

from app.client.questions import PictureFile
from app.client.results import (
    ClientError,
    DigitInRow,
    Model,
    ModelInfo,
    Picture,
    Prediction,
    Problem,
    Reading,
    Unreachable,
)
from app.client.waiting import Client

if TYPE_CHECKING:
    from app.client.asynchronous import AsyncClient

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "DigitInRow",
    "Model",
    "ModelInfo",
    "Picture",
    "PictureFile",
    "Prediction",
    "Problem",
    "Reading",
    "Unreachable",
]


def __getattr__(name: str) -> type["AsyncClient"]:
    """Imports asyncio for those alone who want it: that takes as long as half of httpx."""
    if name != "AsyncClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from app.client.asynchronous import AsyncClient

    return AsyncClient
