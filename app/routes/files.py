"""Files as browsers get them: with a type, a tag, and headers that let them do nothing else."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

HTML = "text/html; charset=utf-8"
TYPES = {
    ".html": HTML,
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PIECE = 65536  # bytes of a file that wait at most for a client that doesn't take them
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",  # for browsers that don't know frame-ancestors
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # kept, but asked about each time: after an update nobody has a new page with an old script
    "Cache-Control": "no-cache",
}


class File(NamedTuple):
    """`tag`: the ETag, which changes with the content. `policy`: the Content-Security-Policy."""

    content: bytes
    content_type: str
    tag: str
    policy: str


def file_of(content: bytes, content_type: str, policy: str) -> File:
    """A file with its tag."""
    return File(content, content_type, f'"{hashlib.sha256(content).hexdigest()[:16]}"', policy)


def read_file(path: Path, policy: str) -> File:
    """The file at `path`, whose name ends in one of TYPES."""
    return file_of(path.read_bytes(), TYPES[path.suffix], policy)


def respond(request: Request, file: File) -> Response:
    """The file, or 304 when the client has it."""
    headers = HEADERS | {"Content-Security-Policy": file.policy, "ETag": file.tag}
    if file.tag in request.headers.get("if-none-match", ""):  # one tag or several, W/ before it or not
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = f"{len(file.content)}"
    return StreamingResponse(_in_pieces(file.content), media_type=file.content_type, headers=headers)


async def _in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]
