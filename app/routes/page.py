"""GET /: the page to draw, drop or photograph a digit. Its files are read once, at start."""

from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import NotFound
from app.routes.files import TYPES, File, read_file, respond

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).resolve().parent.parent / "page"
INDEX = "index.html"
# nothing but our own files; pictures also from the page's memory (blob:) and from answers (data:)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _read_files() -> Iterator[tuple[str, File]]:
    for path in FOLDER.iterdir():
        if path.suffix in TYPES:  # whatever else may lie in the folder
            yield path.name, read_file(path, POLICY)


FILES = dict(_read_files())


@router.get("/")
async def index(request: Request) -> Response:
    """The page."""
    return respond(request, FILES[INDEX])


@router.get("/page/{name}")
async def part(request: Request, name: str) -> Response:
    """What the page is made of: its style, its script, its icon."""
    if name not in FILES or name == INDEX:
        raise NotFound
    return respond(request, FILES[name])
