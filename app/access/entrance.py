"""Who may come in, where there are keys: those who have one, and everybody to what shows nothing of the model."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.access.keys import Keys
from app.errors import NoKey

# Whatever isn't named here takes a key, also what is added one day.
OPEN = frozenset(("/", "/docs", "/openapi.json"))
OPEN |= {"/livez", "/readyz", "/health", "/healthz", "/v2/health/live", "/v2/health/ready"}
OPEN_FOLDERS = ("/page/", "/docs/")
METRICS = "/metrics"


def is_open(path: str, metrics_are_open: bool) -> bool:
    """Whether everybody may ask for it."""
    return path in OPEN or path.startswith(OPEN_FOLDERS) or (metrics_are_open and path == METRICS)


class Entrance:
    """ASGI middleware in front of all: who has no key gets to `refused` instead of `service`."""

    def __init__(self, service: ASGIApp, refused: ASGIApp, keys: Keys, metrics_are_open: bool) -> None:
        self._service, self._refused = service, refused
        self._keys = keys
        self._metrics_are_open = metrics_are_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        may = (
            scope["type"] != "http"
            or is_open(scope["path"], self._metrics_are_open)
            or any(map(self._keys.know, _given(scope["headers"])))
        )
        await (self._service if may else self._refused)(scope, receive, send)


def _given(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    """`Authorization: Bearer KEY` (RFC 6750, 2.1) and `X-API-Key: KEY`."""
    for name, value in headers:
        if name == b"x-api-key":
            yield value
        elif name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer":
                yield key.strip()


def _received(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """What there was in place of a key that is known, without what might be one."""
    names = [name for name, _ in headers]
    if any(True for _ in _given(headers)):
        return "another"
    return "an Authorization of another kind" if b"authorization" in names else "none"


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application: answers 401, and reads nothing."""
    received = _received(scope["headers"])
    expected = "Expected a key of this service, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
    await problems.refuse(NoKey(f"{expected}; received {received}."), scope, send, [(b"www-authenticate", b"Bearer")])
