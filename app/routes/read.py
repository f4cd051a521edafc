"""POST /read."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import (
    BlankPicture,
    BloatedPicture,
    DamagedPicture,
    EmptyPicture,
    OneDigitOnly,
    TooManyDigits,
    TooManyParts,
    TooManyPixels,
)
from app.problems import examples
from app.routes.answers import JSON, rows, to_json
from app.routes.dependencies import CurrentSettings, ReadyReader
from app.routes.leaving import unless_gone
from app.routes.predict import FORM_ERRORS, ONE_PICTURE
from app.routes.schemas import ReadingOut
from app.routes.upload import one_picture

router = APIRouter(tags=["predict"])

PICTURE_ERRORS = (TooManyPixels, BloatedPicture, TooManyDigits, EmptyPicture, DamagedPicture, BlankPicture)


@router.post(
    "/read",
    summary="Which digits are in this picture, and where?",
    response_model=ReadingOut,
    responses=examples(*FORM_ERRORS, TooManyParts, *PICTURE_ERRORS, OneDigitOnly),
    openapi_extra={"requestBody": {"required": True, "content": ONE_PICTURE}},
)
async def read(request: Request, reader: ReadyReader, settings: CurrentSettings) -> Response:
    """One picture of several digits, sent as for /predict: a phone number, a meter, a form.

    They are found, touching ones are cut apart, and each is answered with its place, line by line from left to right.
    Dots, dashes, ruled lines and boxes are left out.
    """
    data = await one_picture(request, settings)
    found = await unless_gone(request, settings, reader.read_rows(data))
    return Response(to_json(rows(found, reader.model)), media_type=JSON)
