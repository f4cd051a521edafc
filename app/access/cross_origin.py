"""CORS: the pages of other origins may ask, by their scripts in a browser, if they are listed."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import NotShared
from app.problems import refuse

METHODS = ("GET", "HEAD", "POST")
# what a script may send and, of the answer, see, besides what it always may
SENT = ("Authorization", "X-API-Key", "Content-Type", "X-Request-ID", "traceparent", "Inference-Header-Content-Length")
SEEN = ("X-Request-ID", "Retry-After", "WWW-Authenticate", "Inference-Header-Content-Length")


class CrossOrigin:
    """ASGI: `service`, whose answers the pages of `origins` may see. No cookies.

    `observe`: gives an ASGI application its ids, metrics and log. What a browser asks beforehand is answered here, so
    it needs no key.
    """

    def __init__(self, service: ASGIApp, origins: tuple[str, ...], observe: Callable[[ASGIApp], ASGIApp]) -> None:
        self._answers = CORSMiddleware(service, origins, METHODS, SENT, expose_headers=SEEN)
        self._beforehand = observe(self._answer_beforehand)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._beforehand if _is_beforehand(scope) else self._answers)(scope, receive, send)

    async def _answer_beforehand(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        response = self._answers.preflight_response(asked)
        if response.status_code == HTTPStatus.OK:
            await response(scope, receive, send)
        else:
            more = [each for each in response.raw_headers if not each[0].startswith(b"content-")]
            await refuse(NotShared(_refused(asked)), scope, send, more)


def _refused(asked: Headers) -> str:
    received = f"{asked['access-control-request-method'][:100]} of {asked['origin'][:100]!r}"
    if "access-control-request-headers" in asked:
        received += f" with {asked['access-control-request-headers'][:200]!r}"
    return (
        f"Expected {', '.join(METHODS)} of a listed origin, with no headers but {', '.join(SENT)}; received {received}."
    )


def _is_beforehand(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    return {b"origin", b"access-control-request-method"} <= {name for name, _ in scope["headers"]}
