"""GET /: the page to draw, drop or photograph a digit. Its files are read once, at start."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotFound

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).resolve().parent.parent / "page"
INDEX = "index.html"
# Only these are served, whatever else may lie in the folder.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    # nothing but our own files; pictures also from the page's memory (blob:) and from answers (data:)
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # kept, but asked about each time: after an update nobody has a new page with an old script
    "Cache-Control": "no-cache",
}


class PageFile(NamedTuple):
    """`tag`: the ETag, which changes with the content."""

    content: bytes
    content_type: str
    tag: str


def _read_files() -> Iterator[tuple[str, PageFile]]:
    for path in FOLDER.iterdir():
        if path.suffix in TYPES:
            content = path.read_bytes()
            yield path.name, PageFile(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:16]}"')


FILES = dict(_read_files())


@router.get("/")
@router.head("/")
async def index(request: Request) -> Response:
    """The page."""
    return _respond(request, FILES[INDEX])


@router.get("/page/{name}")
@router.head("/page/{name}")
async def part(request: Request, name: str) -> Response:
    """What the page is made of: its style, its script, its icon."""
    if name not in FILES or name == INDEX:
        raise NotFound
    return _respond(request, FILES[name])


def _respond(request: Request, file: PageFile) -> Response:
    headers = HEADERS | {"ETag": file.tag}
    if file.tag in request.headers.get("if-none-match", ""):  # one tag or several, W/ before it or not
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.content_type, headers=headers)
