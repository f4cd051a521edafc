"""POST /predict and POST /predict/batch."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from app.errors import (
    BadQuery,
    BlankPicture,
    BloatedPicture,
    BrokenForm,
    DamagedPicture,
    EmptyPicture,
    NoPicture,
    NotReady,
    Overloaded,
    RaggedImages,
    ServiceError,
    TooManyBytes,
    TooManyParts,
    TooManyPictures,
    TooManyPixels,
    TooSlow,
    UnknownFormat,
    WrongField,
    WrongSize,
)
from app.model.metadata import CLASSES
from app.problems import examples, refusal
from app.reader import Reader
from app.routes.accepting import prefers
from app.routes.answers import JSON, batch, picture, prediction, reading, to_json
from app.routes.dependencies import CurrentSettings, ReadyReader
from app.routes.leaving import unless_gone
from app.routes.schemas import BatchPrediction, Prediction
from app.routes.upload import OCTETS, kind_of, many_pictures, one_picture, raw_images
from app.settings import Settings
from app.telemetry.request_id import request_id

router = APIRouter(tags=["predict"])

Fit = Annotated[Literal["auto", "never"], Query(description="`never` insists on 28x28, white ink on black")]
Preview = Annotated[bool, Query(description="adds the 28x28 that the model saw, a PNG in base64")]

BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM_ERRORS = (BrokenForm, WrongField, NoPicture, TooSlow, TooManyBytes, UnknownFormat, NotReady, Overloaded)
PICTURE_ERRORS = (TooManyPixels, BloatedPicture, EmptyPicture, DamagedPicture, BlankPicture, WrongSize)


def _form(field: str, content: dict[str, Any]) -> dict[str, Any]:
    """The request body of a multipart form with one field, for OpenAPI."""
    schema = {"type": "object", "required": [field], "properties": {field: content}, "additionalProperties": False}
    return {"multipart/form-data": {"schema": schema}}


FILE = {"type": "string", "format": "binary", "description": "a PNG, JPEG, WebP, GIF, BMP, TIFF or HEIC"}
ONE_PICTURE = _form("file", FILE) | {"image/*": BINARY, OCTETS: BINARY}
RAW = BINARY["schema"] | {"description": "N x 784 bytes: images of 28x28, uint8, white ink on black, row by row"}
MANY_PICTURES = _form("files", {"type": "array", "items": FILE, "minItems": 1}) | {OCTETS: {"schema": RAW}}
PROBABILITIES = BINARY["schema"] | {"description": "float32 [N, 10], little-endian: `Accept: application/octet-stream`"}


@router.post(
    "/predict",
    summary="Which digit is in this picture?",
    response_model=Prediction,
    responses=examples(*FORM_ERRORS, TooManyParts, BadQuery, *PICTURE_ERRORS),
    openapi_extra={"requestBody": {"required": True, "content": ONE_PICTURE}},
)
async def predict(
    request: Request, reader: ReadyReader, settings: CurrentSettings, fit: Fit = "auto", preview: Preview = False
) -> Response:
    """One picture, as the multipart field `file` or as the body itself: a photograph, a scan, a drawing.

    What isn't 28x28 pixels as MNIST's are is made so: the digit is found, cropped, scaled and centred.
    """
    data = await one_picture(request, settings)
    answer = await unless_gone(request, settings, reader.read(data, fit == "auto", preview))
    return Response(to_json(prediction(answer, reader.model)), media_type=JSON)


@router.post(
    "/predict/batch",
    summary="Which digits are in these pictures?",
    response_model=BatchPrediction,
    responses=examples(*FORM_ERRORS, BadQuery, TooManyPictures, RaggedImages)
    | {200: {"content": {OCTETS: {"schema": PROBABILITIES}}}},
    openapi_extra={"requestBody": {"required": True, "content": MANY_PICTURES}},
)
async def predict_batch(
    request: Request, reader: ReadyReader, settings: CurrentSettings, fit: Fit = "auto", preview: Preview = False
) -> Response:
    """Many pictures, as repeated multipart fields `files`. One that can't be read has its problem in its place.

    Or images that are 28x28 already, as raw bytes in one body: `Content-Type: application/octet-stream`. The model sees
    them as they are, so they are neither fitted nor shown again.
    """
    if kind_of(request) == OCTETS:
        return await _read_raw(request, reader, settings)
    files = await many_pictures(request, settings)
    results = [
        refusal(each, request_id(request.scope))
        if isinstance(each, ServiceError)
        else {**reading(each), "picture": picture(each.picture)}
        for each in await unless_gone(request, settings, reader.read_many(files, fit == "auto", preview))
    ]
    return Response(to_json(batch(results, reader.model)), media_type=JSON)


async def _read_raw(request: Request, reader: Reader, settings: Settings) -> Response:
    """Raw images: N x 784 bytes in; JSON out as for files, or the bare probabilities, for whom asks for bytes."""
    rows = await reader.read_images(await raw_images(request, settings))
    if prefers(OCTETS, request.headers.getlist("accept"), to=JSON):
        return Response(rows[:, :CLASSES].astype("<f4", copy=False).tobytes(), media_type=OCTETS)
    results = [{**reading(each), "picture": picture(each.picture)} for each in reader.answers(rows)]
    return Response(to_json(batch(results, reader.model)), media_type=JSON)
