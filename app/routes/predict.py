"""POST /predict and POST /predict/batch."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.errors import (
    BadQuery,
    BloatedPicture,
    BrokenForm,
    DamagedPicture,
    EmptyPicture,
    NoPicture,
    NotReady,
    Overloaded,
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
from app.problems import examples, problem
from app.reader import Answer, Reader
from app.routes.dependencies import CurrentSettings, ReadyReader
from app.routes.schemas import BatchPrediction, Prediction
from app.routes.upload import many_pictures, one_picture
from app.telemetry import request_id

router = APIRouter(tags=["predict"])

BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM_ERRORS = (BrokenForm, WrongField, NoPicture, TooSlow, TooManyBytes, UnknownFormat, NotReady, Overloaded)
PICTURE_ERRORS = (TooManyPixels, BloatedPicture, EmptyPicture, DamagedPicture, WrongSize)


def _form(field: str, content: dict[str, Any]) -> dict[str, Any]:
    """The request body of a multipart form with one field, for OpenAPI."""
    schema = {"type": "object", "required": [field], "properties": {field: content}}
    return {"multipart/form-data": {"schema": schema}}


FILE = {"type": "string", "format": "binary", "description": "a PNG, JPEG, WebP, GIF, BMP or TIFF"}
ONE_PICTURE = _form("file", FILE) | {"image/*": BINARY, "application/octet-stream": BINARY}
MANY_PICTURES = _form("files", {"type": "array", "items": FILE})


@router.post(
    "/predict",
    summary="Which digit is in this picture?",
    response_model=Prediction,
    responses=examples(*FORM_ERRORS, TooManyParts, BadQuery, *PICTURE_ERRORS),
    openapi_extra={"requestBody": {"required": True, "content": ONE_PICTURE}},
)
async def predict(
    request: Request,
    reader: ReadyReader,
    settings: CurrentSettings,
    fit: Annotated[
        Literal["auto", "never"], Query(description="`never` insists on 28x28, white ink on black")
    ] = "auto",
    preview: Annotated[bool, Query(description="adds the 28x28 that the model saw, a PNG in base64")] = False,
) -> JSONResponse:
    """One picture, as the multipart field `file` or as the body itself: 28x28 pixels, white ink on black."""
    data = await one_picture(request, settings)
    answer = await reader.read(data, preview)
    return JSONResponse(_read(answer) | {"model": _model(reader), "picture": _picture(answer)})


@router.post(
    "/predict/batch",
    summary="Which digits are in these pictures?",
    response_model=BatchPrediction,
    responses=examples(*FORM_ERRORS, TooManyPictures),
    openapi_extra={"requestBody": {"required": True, "content": MANY_PICTURES}},
)
async def predict_batch(request: Request, reader: ReadyReader, settings: CurrentSettings) -> JSONResponse:
    """Many pictures, as repeated multipart fields `files`. One that can't be read has its problem in its place."""
    files = await many_pictures(request, settings)
    results = [
        problem(each, request_id(request.scope))
        if isinstance(each, ServiceError)
        else _read(each) | {"picture": _picture(each)}
        for each in await reader.read_many(files)
    ]
    return JSONResponse({"results": results, "model": _model(reader)})


def _read(answer: Answer) -> dict[str, Any]:
    return {
        "digit": answer.digit,
        "label": answer.label,
        "confidence": answer.confidence,
        "probabilities": answer.probabilities,
    }


def _picture(answer: Answer) -> dict[str, Any]:
    note = asdict(answer.picture)
    if note["preview"] is None:
        del note["preview"]
    return note


def _model(reader: Reader) -> dict[str, Any]:
    return {"name": reader.model.name, "version": reader.model.version}
