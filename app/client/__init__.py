"""A client of the service, for those who wait (`Client`) and those who don't (`AsyncClient`).

    with Client("http://127.0.0.1:8000") as client:
        print(client.predict("scan.jpg").digit)

Imports nothing of the service: httpx is all it needs.
"""

from app.client.clients import AsyncClient, Client
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
