"""GET /docs: swagger-ui, as FastAPI shows it, but from files of our own: no network, and nobody learns who looks."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotFound
from app.routes.files import HTML, File, file_of, respond

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).resolve().parent.parent / "documentation"
INDEX = "index.html"
# Only these are served: the path below FOLDER, and the type.
PARTS = {
    INDEX: HTML,
    "start.js": "text/javascript; charset=utf-8",
    "swagger-ui/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui/swagger-ui.css": "text/css; charset=utf-8",
}
NAMES = {path.rpartition("/")[2]: path for path in PARTS}
# swagger-ui has styles within its elements, and icons (data:) within its style
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def _read(path: str) -> File:
    """Once, when first asked for: two megabytes, of which most processes never see a reader."""
    return file_of((FOLDER / path).read_bytes(), PARTS[path], POLICY)


@router.get("/docs")
async def index(request: Request) -> Response:
    """The page."""
    return respond(request, _read(INDEX))


@router.get("/docs/{name}")
async def part(request: Request, name: str) -> Response:
    """What the page is made of: swagger-ui, its style, and what starts it."""
    if name not in NAMES or name == INDEX:
        raise NotFound
    return respond(request, _read(NAMES[name]))
