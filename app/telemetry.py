"""What is seen from outside the answers: the id of each request, and the log."""

import re
import secrets
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
# What is taken from a client: it stands in our log and in our answers, so no blanks, quotes or control characters.
SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    # the one tells of each start and stop in four lines, the other of each broken form that a client sends; what
    # matters of both the service says itself
    "loggers": {"uvicorn.error": {"level": "WARNING"}, "python_multipart": {"level": "ERROR"}},
}


class RequestId:
    """ASGI middleware: gives each request an id, its own if that is sane, and returns it in X-Request-ID."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        scope.setdefault("state", {})["request_id"] = given if SANE_ID.fullmatch(given) else secrets.token_hex(8)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id(scope)
            await send(message)

        await self.app(scope, receive, send_with_id)


def request_id(scope: Scope) -> str:
    """The id that `RequestId` gave this request."""
    return str(scope["state"]["request_id"])
