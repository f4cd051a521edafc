"""What was read wrong, as one picture for a person to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

from app.images.normalize import SIDE, Grey

COLUMNS = 6
PICTURE = 140  # pixels a side: the picture as it was, and beside it the 28x28, five times as large
GAP, TEXT = 10, 34  # pixels around and below
TILE = 2 * PICTURE + 2 * GAP, PICTURE + TEXT + GAP  # width, height
NAME_CHARACTERS = 44  # of the file's name fit below the two
PAPER, INK, PALE = "#f1f5f9", "#0f172a", "#64748b"


class Mistake(NamedTuple):
    """A picture file, what was made of it, uint8 (28, 28) or None, and a line that says how it was read."""

    path: Path
    seen: Grey | None
    said: str


def sheet(mistakes: Sequence[Mistake]) -> Image.Image:
    """All of them on one sheet, row by row."""
    columns = min(COLUMNS, len(mistakes))
    rows = -(-len(mistakes) // columns)
    page = Image.new("RGB", (columns * TILE[0] + GAP, rows * TILE[1] + GAP), PAPER)
    for k, mistake in enumerate(mistakes):
        page.paste(_tile(mistake), (k % columns * TILE[0] + GAP, k // columns * TILE[1] + GAP))
    return page


def _tile(mistake: Mistake) -> Image.Image:
    tile = Image.new("RGB", TILE, PAPER)
    tile.paste(_original(mistake.path), (0, 0))
    if mistake.seen is not None:
        seen = Image.fromarray(mistake.seen).resize((PICTURE, PICTURE), Image.Resampling.NEAREST)
        tile.paste(seen, (PICTURE + GAP // 2, 0))
    draw = ImageDraw.Draw(tile)
    draw.text((0, PICTURE + 2), mistake.said, INK, ImageFont.load_default(15))
    draw.text((0, PICTURE + 20), mistake.path.name[-NAME_CHARACTERS:], PALE, ImageFont.load_default(10))
    return tile


def _original(path: Path) -> Image.Image:
    """In colour, upright, whole, in the middle of a square; a plain square where Pillow can't read it."""
    square = Image.new("RGB", (PICTURE, PICTURE), PALE)
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGBA")
    except OSError:
        return square
    picture.thumbnail((PICTURE, PICTURE))
    if max(picture.size) <= PICTURE // 2:  # small ones are made larger, as whole pixels
        picture = ImageOps.scale(picture, PICTURE // max(picture.size), Image.Resampling.NEAREST)
    white = Image.new("RGBA", picture.size, "white")
    upright = Image.alpha_composite(white, picture).convert("RGB")
    square.paste(upright, ((PICTURE - picture.width) // 2, (PICTURE - picture.height) // 2))
    return square


assert PICTURE % SIDE == 0, "each of the 28x28 pixels becomes a square of the same size"
