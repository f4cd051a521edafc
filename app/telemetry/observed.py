"""Each request is given an id, counted, timed, and told of in the log. A sane traceparent comes back as it came."""

import sys
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.log import RequestLog
from app.telemetry.metrics import UNMATCHED, count_request
from app.telemetry.request_id import FIELD, HEADER, choose_id
from app.telemetry.trace import FIELD as TRACE_FIELD
from app.telemetry.trace import sane_trace

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
        traces = [value for name, value in scope["headers"] if name == TRACE_FIELD]
        trace = sane_trace(traces[0]) if len(traces) == 1 else None
        state = scope.setdefault("state", {})
        state["request_id"] = id_of_request
        state.setdefault("started", time.perf_counter())
        status, left = GONE, sys.maxsize  # bytes of the body
        is_done = False

        async def observing_send(message: Message) -> None:
            nonlocal status, left, is_done
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = id_of_request
                if trace:
                    headers[TRACE_FIELD.decode()] = trace.decode()
                left = int(headers.get("content-length", left))
            else:
                left -= len(message.get("body", b""))
                if not is_done and (left <= 0 or not message.get("more_body")):
                    is_done = True
                    self.done(scope, route_of(scope), status, id_of_request, trace)
            await send(message)

        try:
            await self.app(scope, receive, observing_send)
        finally:
            if not is_done:
                self.done(scope, route_of(scope), status, id_of_request, trace)

    def done(self, scope: Scope, route: str, status: int, id_of_request: str, trace: bytes | None) -> None:
        """Counts and logs one request, which began at scope["state"]["started"], by time.perf_counter().

        To be called before the last of the answer leaves: who has it then finds it counted, whichever worker he asks.
        And once its head is written, so that the log, which is made next, comes after the answers of the same turn.
        """
        seconds = time.perf_counter() - scope["state"]["started"]
        count_request(scope["method"], route, status, seconds)
        self.log.add(scope, status, seconds, id_of_request, trace)


def route_of(scope: Scope) -> str:
    """The template of the path that answered, such as /v1/models/{name}, or UNMATCHED."""
    return getattr(scope.get("route"), "path", UNMATCHED)
