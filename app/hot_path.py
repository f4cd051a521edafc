"""POST /predict as nearly everybody sends it, answered below FastAPI. Everything else is handed on to FastAPI."""

import time

from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.arrival import arrive, replaying
from app.reader import SMALL_BYTES
from app.routes.answers import prediction, to_json
from app.routes.plain_body import plain_picture
from app.telemetry.observed import FIELD, Observed
from app.telemetry.request_id import choose_id

PATH = "/predict"


class HotPath:
    """ASGI: answers a small picture in a plain body (`app.routes.plain_body`).

    Whatever is unusual (odd, big, slow, wrong, or the service isn't ready) goes the thorough way, through `observed`
    and FastAPI: the same answers, and all the errors. A request costs 65 µs of CPU at 64 connections here, and 260
    by the route in `app.routes.predict`.
    """

    def __init__(self, observed: Observed, state: State) -> None:
        self._observed = observed
        self._thorough: ASGIApp = observed
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or scope["query_string"]:
            await self._thorough(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        if len(headers) < len(scope["headers"]) or not _is_small(headers) or self._state.reader is None:
            await self._thorough(scope, receive, send)
            return
        messages: list[Message] = []
        await arrive(receive, messages)
        answer = await self._answer(headers[b"content-type"], messages)
        if answer is None:
            await self._thorough(scope, replaying(messages, receive), send)
            return
        id_of_request = choose_id(headers.get(FIELD))
        await send({"type": "http.response.start", "status": 200, "headers": _headers(answer, id_of_request)})
        await send({"type": "http.response.body", "body": answer})
        self._observed.done(scope, PATH, 200, time.perf_counter() - started, id_of_request)

    async def _answer(self, content_type: bytes, messages: list[Message]) -> bytes | None:
        """The body of the answer, or None when it is for the thorough way to answer."""
        if not messages or messages[-1].get("more_body", True):  # incomplete, or the client has gone
            return None
        body = messages[0]["body"] if len(messages) == 1 else b"".join(each["body"] for each in messages)
        data = plain_picture(content_type, body)
        if data is None:
            return None
        reader = self._state.reader
        try:
            return to_json(prediction(await reader.read(data), reader.model))
        except Exception:  # noqa: BLE001 - it happens again on the thorough way, where it is logged or answered
            return None


def _is_small(headers: dict[bytes, bytes]) -> bool:
    length = headers.get(b"content-length", b"")
    return b"content-type" in headers and length.isdigit() and len(length) < 6 and int(length) <= SMALL_BYTES


def _headers(answer: bytes, id_of_request: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(answer)),
        (FIELD, id_of_request.encode("ascii")),
    ]
