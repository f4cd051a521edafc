"""Ink as bright as its paper, told by its colour; and what is blank in all colours stays blank."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import BlankPicture
from app.images.decode import decode_tints
from app.images.prepare import prepare
from app.images.segment import segment_file
from tests.real_pictures import enlarged
from tests.support import encode
from training.dataset import Dataset

LIMIT = 1_000_000
Colour = tuple[int, int, int]
# ink and paper, with the same luma
PAIRS: list[tuple[Colour, Colour]] = [
    ((225, 60, 60), (60, 148, 60)),
    ((60, 148, 60), (225, 60, 60)),
    ((60, 90, 250), (150, 90, 60)),
    ((200, 110, 200), (120, 160, 100)),
]


def drawn(image: NDArray[np.uint8], ink: Colour, paper: Colour, side: int = 300) -> Image.Image:
    """A digit of one colour on another, uint8 RGB."""
    digit = enlarged(image, side // 2)
    share = np.zeros((side, side, 1), np.float32)
    share[80 : 80 + digit.shape[0], 100 : 100 + digit.shape[1], 0] = digit
    return Image.fromarray(np.rint(share * ink + (1 - share) * np.array(paper)).astype(np.uint8))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"quality": 90}), ("WEBP", {"quality": 90})])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_ink_as_bright_as_its_paper_is_read_by_its_colour(
    mnist: Dataset, ink: Colour, paper: Colour, kind: str, options: dict[str, int]
) -> None:
    for image in mnist.x_test[:5]:
        seen, note = prepare(encode(drawn(image, ink, paper), kind, **options), LIMIT, True)
        plain, plain_note = prepare(encode(drawn(image, (0, 0, 0), (255, 255, 255)), kind, **options), LIMIT, True)
        assert note.box is not None
        assert plain_note.box is not None
        assert np.abs(np.array(note.box) - plain_note.box).max() <= 6
        nearest = cv2.matchTemplate(
            cv2.copyMakeBorder(seen, 1, 1, 1, 1, cv2.BORDER_CONSTANT), plain, cv2.TM_CCOEFF_NORMED
        )
        assert nearest.max() > 0.9


def test_a_picture_in_many_modes_has_tints_where_it_has_colours(mnist: Dataset) -> None:
    picture = drawn(mnist.x_test[0], *PAIRS[0])
    transparent = picture.convert("RGBA")
    transparent.putpixel((0, 0), (0, 0, 0, 0))
    pictures = [picture.quantize(4), transparent, picture.convert("CMYK"), picture.resize((900, 900))]
    for each, kind in zip(pictures, ("PNG", "PNG", "TIFF", "PNG"), strict=True):
        tints = decode_tints(encode(each, kind), LIMIT, 300).grey
        assert tints.shape == (300, 300)
        assert np.ptp(tints[10:-10, 10:-10].astype(int)) > 80


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "I", "F"])
def test_a_blank_picture_without_colours_is_blank(mode: str) -> None:
    blank = Image.new(mode, (60, 40), (200, 255) if mode == "LA" else 1)
    with pytest.raises(BlankPicture):
        prepare(encode(blank, "TIFF" if mode in ("I", "F") else "PNG"), LIMIT, True)


def test_a_blank_page_in_the_light_of_two_lamps_is_blank() -> None:
    random = np.random.default_rng(3)
    across = np.linspace(0, 1, 400)[:, np.newaxis]
    light = (1 - across) * (235, 225, 205) + across * (215, 225, 240)
    page = np.broadcast_to(light, (300, 400, 3)) + random.normal(0, 3, (300, 400, 3))
    for kind in ("PNG", "JPEG"):
        with pytest.raises(BlankPicture):
            prepare(encode(np.rint(page).astype(np.uint8), kind), LIMIT, True)


def test_digits_as_bright_as_their_paper_are_found_in_a_row(mnist: Dataset) -> None:
    row = np.hstack([np.asarray(drawn(image, *PAIRS[0])) for image in mnist.x_test[:3]])
    found = segment_file(encode(row), LIMIT)
    assert {group.box[0] // 300 for group in found.lines[0].groups} == {0, 1, 2}
