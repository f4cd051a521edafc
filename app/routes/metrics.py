"""GET /metrics: what is counted, for Prometheus."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

router = APIRouter(tags=["metrics"])


@router.get("/metrics", summary="Counts and durations, for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """What is asked, answered and refused, and what that takes; with several workers, of all of them together."""
    return Response(await request.app.state.figures(), media_type=CONTENT_TYPE_LATEST)
