"""POST /predict as nearly everybody sends it, answered below FastAPI. Everything else is handed on to FastAPI."""

import asyncio
import time

from starlette.datastructures import State
from starlette.types import Message, Receive, Scope, Send

from app.errors import STOPPING, NotReady
from app.problems import Headers, answer_to
from app.reader import Reader
from app.routes.answers import JSON, prediction, to_json
from app.routes.plain_body import plain_picture
from app.routes.upload import LARGE_BYTES
from app.telemetry.observed import GONE, Observed
from app.telemetry.request_id import FIELD, choose_id
from app.telemetry.trace import FIELD as TRACE_FIELD
from app.telemetry.trace import sane_trace
from app.wire.arrival import PATIENCE_SECONDS, arrive, replaying
from app.wire.host import is_valid

PATH = "/predict"
JSON_TYPE = (b"content-type", JSON.encode("ascii"))


class HotPath:
    """ASGI: answers a picture in a plain body (`app.routes.plain_body`) that isn't large.

    Whatever is unusual (odd, big, slow, or the service isn't ready) goes the thorough way, through `observed` and
    FastAPI: the same answers, and all the errors. A request costs some 50 µs of CPU at 64 connections here, and 260 by
    the route in `app.routes.predict`.
    """

    def __init__(self, observed: Observed, state: State) -> None:
        self._observed = observed
        self._state = state
        self._max_bytes = min(LARGE_BYTES - 1, state.settings.max_upload_bytes)
        self._patience_s = min(PATIENCE_SECONDS, state.settings.receive_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or scope["query_string"]:
            await self._observed(scope, receive, send)
            return
        headers = dict(scope["headers"])
        reader: Reader | None = self._state["reader"]  # as an attribute it takes 0.5 µs: State raises and catches
        if reader is None or len(headers) < len(scope["headers"]) or not self._fits(headers):
            await self._observed(scope, receive, send)
            return
        scope.setdefault("state", {})["started"] = time.perf_counter()
        messages: list[Message] = []
        try:
            await arrive(receive, messages, self._patience_s)
        except asyncio.CancelledError:
            await self._observed(scope, _cancelled, send)
            return
        data = _picture(headers.get(b"content-type", b""), messages)
        if data is None:
            await self._observed(scope, replaying(messages, receive), send)
        else:
            await self._answer(reader, data, scope, send, headers)

    async def _answer(self, reader: Reader, data: bytes, scope: Scope, send: Send, asked: dict[bytes, bytes]) -> None:
        id_of_request, trace = choose_id(asked.get(FIELD)), sane_trace(asked.get(TRACE_FIELD))
        try:
            status, headers, body = await _read(reader, data, id_of_request)
        except asyncio.CancelledError:
            if not self._state.lifecycle.stopping:
                self._observed.done(scope, PATH, GONE, id_of_request, trace)
                raise
            status, headers, body = answer_to(NotReady(STOPPING), id_of_request)
        headers += [(b"content-length", b"%d" % len(body)), (FIELD, id_of_request.encode("ascii"))]
        if trace:
            headers.append((TRACE_FIELD, trace))
        try:
            await send({"type": "http.response.start", "status": status, "headers": headers})
        finally:
            self._observed.done(scope, PATH, status, id_of_request, trace)
        await send({"type": "http.response.body", "body": body})

    def _fits(self, headers: dict[bytes, bytes]) -> bool:
        host = headers.get(b"host")
        if host is None or not is_valid(host) or b"content-encoding" in headers:
            return False
        length = headers.get(b"content-length", b"")
        # more than nine digits are large; and Python refuses to read thousands of them
        return length.isdigit() and len(length) <= 9 and int(length) <= self._max_bytes


def _picture(content_type: bytes, messages: list[Message]) -> bytes | None:
    if not messages or messages[-1].get("more_body", True):  # incomplete, or the client has gone
        return None
    body = messages[0]["body"] if len(messages) == 1 else b"".join(each["body"] for each in messages)
    return plain_picture(content_type, body)


async def _cancelled() -> Message:
    """Receives for a request whose body was waited for when it was cancelled: `app.wire.ending` says what follows."""
    raise asyncio.CancelledError


async def _read(reader: Reader, data: bytes, id_of_request: str) -> tuple[int, Headers, bytes]:
    """Status, headers and body of the answer."""
    try:
        answer = await reader.read(data)
        return 200, [JSON_TYPE], to_json(prediction(answer, reader.model))
    except Exception as error:  # noqa: BLE001 - also what is our own fault is to be answered
        return answer_to(error, id_of_request)
