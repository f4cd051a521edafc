"""POST /explain."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import BadQuery, CannotExplain, TooManyParts
from app.problems import examples
from app.routes.answers import JSON, explanation, to_json
from app.routes.dependencies import CurrentSettings, ReadyReader
from app.routes.leaving import unless_gone
from app.routes.predict import FORM_ERRORS, ONE_PICTURE, PICTURE_ERRORS, Fit, Preview
from app.routes.schemas import ExplainedPrediction
from app.routes.upload import one_picture

router = APIRouter(tags=["predict"])


@router.post(
    "/explain",
    summary="Which digit is in this picture, and which pixels say so?",
    response_model=ExplainedPrediction,
    responses=examples(*FORM_ERRORS, TooManyParts, BadQuery, *PICTURE_ERRORS, CannotExplain),
    openapi_extra={"requestBody": {"required": True, "content": ONE_PICTURE}},
)
async def explain(
    request: Request, reader: ReadyReader, settings: CurrentSettings, fit: Fit = "auto", preview: Preview = False
) -> Response:
    """One picture, sent as to /predict; the same answer, and the importance of each of the 28x28 pixels.

    The importances are integrated gradients (Sundararajan et al. 2017) of the answer's log-probability, on the way
    from a black picture to this one: they add up to the difference of the two log-probabilities.
    """
    data = await one_picture(request, settings)
    answer, why = await unless_gone(request, settings, reader.explain(data, fit == "auto", preview))
    return Response(to_json(explanation(answer, why, reader.model)), media_type=JSON)
