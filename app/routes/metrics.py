"""GET /metrics: what is counted, for Prometheus."""

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from app.telemetry.metrics import render

router = APIRouter(tags=["metrics"])


@router.get("/metrics", summary="Counts and durations, for Prometheus", response_class=PlainTextResponse)
async def metrics() -> Response:
    """What is asked, answered and refused, and what that takes; with several workers, of all of them together."""
    return Response(await run_in_threadpool(render), media_type=CONTENT_TYPE_LATEST)
