"""What the two protocols have in common: which model is meant, how a body is read, and who answers."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Depends, Path
from starlette.requests import Request

from app.errors import (
    BadTensors,
    NotReady,
    Overloaded,
    ServiceError,
    TooManyBytes,
    TooManyPictures,
    TooManyPixels,
    TooSlow,
    UnknownModel,
)
from app.model.metadata import CLASSES
from app.model.tensors import Probabilities
from app.problems import protocol_examples
from app.reader import Reader
from app.routes.body import read_body
from app.routes.dependencies import ReadyReader
from app.routes.tensors import Input
from app.routes.upload import SMALL_BYTES, check_not_packed, expecting
from app.settings import Settings

LABELS = ("stable", "latest")  # of the served version
STATUS_ERRORS = protocol_examples(UnknownModel, NotReady)
READ_ERRORS = (BadTensors, UnknownModel, TooSlow, TooManyBytes, TooManyPictures, TooManyPixels, NotReady, Overloaded)

ModelName = Annotated[str, Path(description="the name of the served model", examples=["mnist_mlp"])]
T = TypeVar("T")


async def named(request: Request, reader: ReadyReader, model: ModelName) -> Reader:
    """The reader, when the path names the model, version or label that it reads with. Raises: UnknownModel."""
    served = reader.model
    version, label = request.path_params.get("version"), request.path_params.get("label")
    if model != served.name:
        raise UnknownModel(f"Expected the model {served.name!r}, which is served; received {model[:100]!r}.")
    if version is not None and version != str(served.version):
        raise UnknownModel(
            f"Expected version {served.version} of the model {served.name!r}, which is served; "
            f"received {version[:100]!r}."
        )
    if label is not None and label not in LABELS:
        raise UnknownModel(
            f"Expected the label {' or '.join(map(repr, LABELS))} of version {served.version}, which is served; "
            f"received {label[:100]!r}."
        )
    return reader


Served = Annotated[Reader, Depends(named)]


async def parsed_body(request: Request, reader: Reader, settings: Settings, parse: Callable[[bytes], T]) -> T:
    """What `parse` makes of the request's body. Raises: as `read_body` and `parse` do; BadTensors."""
    check_not_packed(request, BadTensors)
    # raw tensors behind the JSON are taken as they are; 1024 x 784 numbers as JSON take 50 ms
    of_json = request.headers.get("inference-header-content-length", "")
    is_raw = of_json.isdecimal() and len(of_json) <= 5
    with nullcontext() if is_raw else expecting(request):
        body = await read_body(request, settings)
    if is_raw or len(body) <= SMALL_BYTES:
        return parse(body)
    return await reader.aside(lambda: parse(body))


async def probabilities_of(reader: Reader, given: Input) -> Probabilities:
    """float32 (N, 10). Raises: Overloaded; the error of the first picture that can't be read."""
    if given.files is not None:
        answers = await reader.read_many(given.files)
        for number, each in enumerate(answers):
            if isinstance(each, ServiceError):
                raise of_picture(number, each)
        return np.stack([each.probabilities for each in answers if not isinstance(each, ServiceError)])
    if given.images is not None:
        rows = await reader.read_images(given.images)
    else:
        assert given.pixels is not None
        rows = await reader.read_pixels(given.pixels)
    return np.ascontiguousarray(rows[:, :CLASSES])


def of_picture(number: int, error: ServiceError) -> ServiceError:
    """`error`, with the number of the picture that it is of, from 0."""
    return type(error)(f"Picture {number}: {error.detail}")


def body_of(schema: dict[str, Any], example: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    """The request body of a route, for OpenAPI: JSON, and `more` content types."""
    content = {"application/json": {"schema": schema, "example": example}, **(more or {})}
    return {"requestBody": {"required": True, "content": content}}
