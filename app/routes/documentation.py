"""GET /docs: swagger-ui, as FastAPI shows it, but from files of our own: no network, and nobody learns who looks."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotFound
from app.routes.files import File, read_file, respond

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).resolve().parent.parent / "documentation"
INDEX = FOLDER / "index.html"
# Only these are served besides.
PARTS = {
    path.name: path
    for path in (
        FOLDER / "start.js",
        FOLDER / "swagger-ui" / "swagger-ui-bundle.js",
        FOLDER / "swagger-ui" / "swagger-ui.css",
    )
}
# swagger-ui has styles within its elements, and icons (data:) within its style
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def _read(path: Path) -> File:
    """Once, when first asked for: two megabytes, of which most processes never see a reader."""
    return read_file(path, POLICY)


@router.get("/docs")
async def index(request: Request) -> Response:
    """The page."""
    return respond(request, _read(INDEX))


@router.get("/docs/{name}")
async def part(request: Request, name: str) -> Response:
    """What the page is made of: swagger-ui, its style, and what starts it."""
    if name not in PARTS:
        raise NotFound
    return respond(request, _read(PARTS[name]))
