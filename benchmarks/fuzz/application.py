"""The whole application in this process, asked as the server asks it: any method, path, head and body."""

import asyncio
import json
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from starlette.types import Message, Scope

from app.main import create_app, surround
from app.settings import Settings
from app.telemetry.observed import GONE
from app.telemetry.request_id import SANE_ID

LIMITS = Settings(
    max_upload_bytes=65_536, max_pixels=1_000_000, max_batch=16, max_pending=8, receive_seconds=5, log_format="json"
)
START_SECONDS = 60
ANSWERED = {200, 304, 400, 404, 405}  # by what /openapi.json doesn't list: the page, the documentation, no such path
METHODS_OF_SCHEMA = {"HEAD": "get"}
READ_SELDOM = 32  # of the requests to /read, one in so many goes there: it takes a hundred times as long as the others
PIECES = 4  # at most so many, a body comes in


class Running:
    """The application with its model loaded, on a loop of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._app = create_app(LIMITS)
        self._declared = self._app.openapi()["paths"]
        self._service = surround(self._app)
        self._lifespan = self._app.router.lifespan_context(self._app)
        loop.run_until_complete(self._start())

    async def _start(self) -> None:
        await self._lifespan.__aenter__()
        async with asyncio.timeout(START_SECONDS):
            while self._app.state.reader is None:
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        """Ends what watches the model folder."""
        self._loop.run_until_complete(self._lifespan.__aexit__(None, None, None))
        self._loop.close()

    def ask(self, data: bytes) -> None:
        """Sends a request as it is on the wire. Raises: AssertionError, unless it is answered as it should be."""
        scope, body = scope_of(data)
        if scope["path"] == "/read" and zlib.crc32(body) % READ_SELDOM:
            scope["path"] = "/predict"
        leaves = zlib.crc32(body) % 16 == 0  # in the middle of the body
        sent: list[Message] = []
        answered = asyncio.Event()
        messages = _messages(body, leaves)

        async def receive() -> Message:
            message = next(messages, None)
            if message is None and not leaves:
                await answered.wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        self._loop.run_until_complete(self._service(scope, receive, send))
        self._check(scope, sent, leaves)

    def _check(self, scope: Scope, sent: list[Message], leaves: bool) -> None:
        starts = [each for each in sent if each["type"] == "http.response.start"]
        _expect(len(starts) == 1 and sent[0] is starts[0], f"one start of an answer, received {sent!r}"[:500])
        status, body = starts[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])
        _expect(status in self._statuses(scope) or (leaves and status == GONE), f"a declared status, received {status}")
        fields: dict[bytes, bytes] = dict(starts[0]["headers"])
        _expect(len(fields) == len(starts[0]["headers"]), f"each field once, received {starts[0]['headers']}")
        _expect(SANE_ID.fullmatch(fields.get(b"x-request-id", b"")) is not None, f"an id, received {fields}")
        if scope["method"] != "HEAD" and status not in (304, GONE):
            _expect(int(fields[b"content-length"]) == len(body), f"{fields} for {len(body)} bytes")
            if status >= 400:
                _check_problem(status, fields, body)
            elif fields[b"content-type"] == b"application/json":
                json.loads(body)

    def _statuses(self, scope: Scope) -> set[int]:
        route = getattr(scope.get("route"), "path", "/predict" if scope["path"] == "/predict" else "")
        method = METHODS_OF_SCHEMA.get(scope["method"], scope["method"].lower())
        responses: dict[str, Any] = self._declared.get(route, {}).get(method, {}).get("responses", {})
        return ({int(status) for status in responses} or ANSWERED) - {500} | {304, 405}


def scope_of(data: bytes) -> tuple[Scope, bytes]:
    """The ASGI scope and the body of a request, however odd its head is. The Content-Length is right if it has none."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, target, *_ = (*first.split(b" "), b"", b"")
    raw_path, _, query = target.partition(b"?")
    fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    if all(name != b"content-length" for name, _ in fields):
        fields.append((b"content-length", b"%d" % len(body)))
    path = unquote(raw_path.decode("latin-1"))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method.decode("latin-1").upper() or "GET",
        "path": path if path.startswith("/") else "/" + path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": fields,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    return scope, body


def _messages(body: bytes, leaves: bool) -> Iterator[Message]:
    """The body in some pieces; who leaves does so before the last."""
    size = max(1, -(-len(body) // (1 + zlib.crc32(body) // 16 % PIECES)))
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    for piece in pieces[:-1]:
        yield {"type": "http.request", "body": piece, "more_body": True}
    if not leaves:
        yield {"type": "http.request", "body": pieces[-1], "more_body": False}


def _check_problem(status: int, fields: dict[bytes, bytes], body: bytes) -> None:
    problem = json.loads(body)
    keys = {"type", "title", "status", "detail", "request_id"}
    _expect(fields[b"content-type"] == b"application/problem+json" and set(problem) == keys, f"a problem: {body!r}")
    right = problem["status"] == status and problem["request_id"].encode() == fields[b"x-request-id"]
    _expect(right, f"status {status} and id {fields[b'x-request-id']!r}: {body!r}")


def _expect(right: bool, what: str) -> None:
    if not right:
        raise AssertionError(f"expected {what}")
