"""The id of each request: the client's own if it is sane, or one of ours; it comes back in X-Request-ID."""

import itertools
import re
import secrets

from starlette.types import Scope

HEADER = "X-Request-ID"
FIELD = HEADER.lower().encode("ascii")  # as ASGI has it
# What is taken from a client: it stands in our log and in our answers, so no blanks, quotes or control characters.
SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")

_process = secrets.token_hex(6)  # no two processes make the same ids
_count = itertools.count()


def choose_id(given: bytes | None) -> str:
    """`given`: the client's X-Request-ID, if it sent one → the id of this request."""
    if given is not None and SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return f"{_process}{next(_count) & 0xFFFFFFFF:08x}"


def request_id(scope: Scope) -> str:
    """The id that `app.telemetry.observed` gave this request."""
    return str(scope["state"]["request_id"])
