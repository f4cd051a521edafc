"""Large pictures at a reduced scale: as small as will do, no smaller, and the same picture."""

import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.errors import WrongSize
from app.images.decode import decode
from tests.support import encode

LIMIT = 64_000_000


def drawing(width: int, height: int) -> Image.Image:
    """A dark stroke on light paper."""
    image = Image.new("L", (width, height), 220)
    ends = [(width // 4, height // 4), (width * 3 // 4, height // 4), (width // 2, height * 7 // 8)]
    ImageDraw.Draw(image).line(ends, fill=30, width=min(width, height) // 10)
    return image


@pytest.mark.parametrize(
    ("enough", "expected"),
    [
        (None, 1600),
        (10_000, 1600),
        (1600, 1600),
        (801, 1600),
        (800, 800),
        (512, 800),
        (400, 400),
        (201, 400),
        (150, 200),
    ],
)
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_is_enough(enough: int | None, expected: int) -> None:
    picture = decode(encode(drawing(1200, 1600), "JPEG"), LIMIT, enough=enough)
    assert picture.grey.shape == (expected, expected * 3 // 4)
    assert (picture.width, picture.height) == (1200, 1600)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_at_a_reduced_scale_is_the_same_picture(mode: str) -> None:
    image = drawing(1600, 1200)
    small = decode(encode(image.convert(mode), "JPEG", quality=95), LIMIT, enough=400).grey
    assert np.abs(small.astype(int) - np.asarray(image.reduce(4))).mean() < 2


@pytest.mark.parametrize("size", [(1001, 777), (4000, 3), (9, 2000), (1, 1), (15, 9)])
def test_a_jpeg_of_any_size_keeps_what_is_enough(size: tuple[int, int]) -> None:
    picture = decode(encode(drawing(*size), "JPEG"), LIMIT, enough=100)
    assert (picture.width, picture.height) == size
    assert max(picture.grey.shape) >= min(100, max(size))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_other_formats_are_reduced_by_whole_areas(mode: str) -> None:
    image = drawing(1600, 1200)
    if mode == "I;16":
        data = encode(np.asarray(image).astype(np.uint16) * 257)
    else:
        data = encode(image.convert("L").point(lambda value: 255 * (value > 99)).convert(mode))
        image = image.point(lambda value: 255 * (value > 99))
    picture = decode(data, LIMIT, enough=400)
    assert (picture.width, picture.height, picture.grey.shape) == (1600, 1200, (300, 400))
    assert np.abs(picture.grey.astype(int) - np.asarray(image.reduce(4))).max() <= 1


@pytest.mark.parametrize(
    ("enough", "expected"), [(None, 1600), (1600, 1600), (801, 1600), (800, 800), (533, 534), (400, 400)]
)
def test_other_formats_keep_what_is_enough(enough: int | None, expected: int) -> None:
    assert max(decode(encode(drawing(1200, 1600)), LIMIT, enough=enough).grey.shape) == expected


def test_ink_on_nothing_is_read_by_its_opacity_at_a_reduced_scale_too() -> None:
    ink = Image.new("RGBA", (800, 800), (0, 0, 0, 0))
    ImageDraw.Draw(ink).line([(100, 100), (700, 650)], (40, 0, 90, 255), 71)
    grey = decode(encode(ink), LIMIT, enough=100).grey
    assert np.abs(grey.astype(int) - np.asarray(ink.getchannel("A").reduce(8))).max() <= 1


def test_a_required_size_is_that_of_the_picture_as_it_was_sent() -> None:
    data = encode(drawing(1600, 1200), "JPEG")
    assert decode(data, LIMIT, required_size=(1600, 1200), enough=200).grey.shape == (150, 200)
    with pytest.raises(WrongSize, match="received one of 1600x1200"):
        decode(data, LIMIT, required_size=(200, 150), enough=200)


def least_seconds(work: Callable[[], object]) -> float:
    """The processor's time of the quickest of five runs."""
    times = []
    for _ in range(5):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.alone
def test_a_photo_costs_hardly_more_than_pillows_own_decoding_at_the_same_scale() -> None:
    noise = np.random.default_rng(1).integers(0, 60, (1500, 2000, 3), np.uint8)
    data = encode(np.asarray(drawing(2000, 1500))[..., np.newaxis] - noise // 2, "JPEG", quality=90)

    def by_pillow() -> None:
        image = Image.open(BytesIO(data))
        image.draft("L", (500, 375))
        image.load()

    # 1.05 on a quiet machine
    assert least_seconds(lambda: decode(data, LIMIT, enough=500)) < 1.5 * least_seconds(by_pillow)
