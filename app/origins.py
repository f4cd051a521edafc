"""Pages of other sites that may ask from a browser (CORS, by Starlette)."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

ASKED = ("Authorization", "X-API-Key", "Content-Type", "X-Request-ID", "Traceparent", "Inference-Header-Content-Length")
ANSWERED = ("X-Request-ID", "Retry-After", "WWW-Authenticate", "Inference-Header-Content-Length")


def allow_origins(service: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """`service`, whose answers pages of `origins` may read. It answers preflights itself; no cookie is ever taken."""
    return CORSMiddleware(
        service, allow_origins=origins, allow_methods=("GET", "POST"), allow_headers=ASKED, expose_headers=ANSWERED
    )
