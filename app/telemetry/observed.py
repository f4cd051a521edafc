"""Each request is given an id, counted, timed, and told of in the log."""

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.log import RequestLog
from app.telemetry.metrics import UNMATCHED, count_request
from app.telemetry.request_id import FIELD, HEADER, choose_id

GONE = 499  # the client left before it was answered; as nginx has it


class Observed:
    """ASGI middleware around everything that answers."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        id_of_request = choose_id(next((value for name, value in scope["headers"] if name == FIELD), None))
        state = scope.setdefault("state", {})
        state["request_id"] = id_of_request
        state.setdefault("started", time.perf_counter())
        status = GONE

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = id_of_request
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            self.done(scope, route_of(scope), status, id_of_request)

    def done(self, scope: Scope, route: str, status: int, id_of_request: str) -> None:
        """Counts and logs one request, which began at scope["state"]["started"], by time.perf_counter()."""
        seconds = time.perf_counter() - scope["state"]["started"]
        count_request(scope["method"], route, status, seconds)
        self.log.add(scope, status, seconds, id_of_request)


def route_of(scope: Scope) -> str:
    """The template of the path that answered, such as /v1/models/{name}, or UNMATCHED."""
    return getattr(scope.get("route"), "path", UNMATCHED)
