"""The Host of a request: HTTP/1.1 wants one, and only one (RFC 9112, 3.2).

Nothing here depends on it. But a proxy in front may, and is to find that we read a request as it does.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import BrokenRequest
from app.problems import refuse

# A name, or an address of numbers, and a port (RFC 3986, 3.2.2). It may be empty: the client's address had none.
VALID = re.compile(rb"(?:(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*|\[[\w:.~%-]+\])(?::\d*)?")
OLD = ("0.9", "1.0")  # versions of HTTP that know no Host


@lru_cache(maxsize=16)  # nearly all say the same, and to know it again takes a third of the time
def is_valid(host: bytes) -> bool:
    """Whether it can be the value of a Host field."""
    return VALID.fullmatch(host) is not None


class OneHost:
    """ASGI middleware: a request without Host, with several or with one that is none, is a 400."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = [value for name, value in scope.get("headers", ()) if name == b"host"]
        if scope["type"] != "http" or _is_right(hosts, scope["http_version"]):
            await self.app(scope, receive, send)
        else:
            await refuse(BrokenRequest(f"Expected one valid Host; received {_received(hosts)}."), scope, send)


def _is_right(hosts: list[bytes], http_version: str) -> bool:
    if not hosts:
        return http_version in OLD
    return len(hosts) == 1 and is_valid(hosts[0])


def _received(hosts: Iterable[bytes]) -> str:
    return " and ".join(repr(host[:100])[1:] for host in list(hosts)[:3]) or "none"
