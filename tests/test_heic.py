"""HEIC as telephones write it: read, turned once, held to its limits, and never more than refused."""

import resource
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

from app.errors import DamagedPicture, ServiceError, TooManyPixels, WrongSize
from app.images.decode import decode, is_small
from app.images.heic import heic_contents, heic_size
from tests.support import CHECKOUT, encode

LIMIT = 1_000_000


@pytest.fixture(autouse=True, scope="module")
def _encoder() -> None:
    register_heif_opener()


def drawing(width: int = 300, height: int = 200) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).line([(width // 4, height // 4), (width // 2, height * 3 // 4)], "black", width // 8)
    return image


def heic(image: Image.Image | None = None, **options: object) -> bytes:
    return encode(image or drawing(), "HEIF", **options)


def with_sizes(data: bytes, width: int, height: int, which: int = 0) -> bytes:
    """The same file, with other numbers in one of its `ispe` boxes."""
    at = -1
    for _ in range(which + 1):
        at = data.index(b"ispe", at + 1)
    return data[: at + 8] + struct.pack(">II", width, height) + data[at + 16 :]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(300, 200), (28, 28), (65, 127), (640, 3), (1, 1)])
def test_a_heic_is_read(mode: str, size: tuple[int, int]) -> None:
    picture = decode(heic(drawing(*size).convert(mode), quality=90), LIMIT)
    assert picture.grey.shape == (picture.height, picture.width) == size[::-1]
    assert np.abs(picture.grey.astype(int) - np.asarray(drawing(*size).convert("L"))).mean() < 4


def test_a_heic_of_tiles_is_read() -> None:
    data = heic(tile_size=64, quality=90)
    assert data.count(b"ispe") == 2  # of the whole and of a tile
    assert np.abs(decode(data, LIMIT).grey.astype(int) - np.asarray(drawing().convert("L"))).mean() < 4


def test_a_heic_with_nothing_around_the_ink_is_read_by_its_opacity() -> None:
    ink = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ImageDraw.Draw(ink).rectangle((40, 20, 60, 80), (0, 0, 0, 255))
    grey = decode(heic(ink, quality=-1), LIMIT).grey
    assert grey[50, 50] > 250
    assert grey[5, 5] < 5


def test_the_first_picture_of_several_is_read() -> None:
    data = heic(Image.new("L", (64, 64), 30), save_all=True, append_images=[Image.new("L", (64, 64), 220)])
    assert np.abs(decode(data, LIMIT).grey.astype(int) - 30).max() < 4


@pytest.mark.parametrize("size", [(100, 30), (101, 31), (300, 200)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_size_in_the_header_is_the_one_that_is_decoded(size: tuple[int, int], orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = heic(drawing(*size), exif=exif.tobytes())
    picture = decode(data, LIMIT)
    assert heic_size(data) == (picture.width, picture.height) == (size if orientation == 1 else size[::-1])
    with pytest.raises(WrongSize, match=f"received one of {picture.width}x{picture.height}"):
        decode(data, LIMIT, required_size=(28, 28))


def test_the_limit_of_pixels_holds() -> None:
    assert decode(heic(), 60_000).width == 300
    with pytest.raises(TooManyPixels, match="at most 59999 pixels; received 300x200"):
        decode(heic(), 59_999)


def test_a_size_that_is_a_lie_is_found_before_the_pixels_are_decoded() -> None:
    large = heic(Image.new("L", (1500, 1500)))
    with pytest.raises(TooManyPixels):
        decode(large, LIMIT)
    with pytest.raises(DamagedPicture):
        decode(with_sizes(large, 64, 64), LIMIT)
    with pytest.raises(TooManyPixels):
        decode(with_sizes(heic(), 30_000, 30_000), LIMIT)


def test_what_is_inside_a_heic_is_counted_too() -> None:
    tiles = heic(tile_size=64)
    tiles_of = heic_contents(tiles)
    assert (tiles_of.largest, tiles_of.all) == (300 * 200, 300 * 200 + 5 * 4 * 64 * 64)
    for side in (2000, 900):  # one alone is too large, or all together
        with pytest.raises(TooManyPixels, match="all together"):
            decode(with_sizes(tiles, side, side, which=1), LIMIT)


def test_opacity_is_counted_too() -> None:
    rgba = drawing(128, 64)
    rgba.putalpha(99)
    assert heic_contents(heic(rgba)).all == 2 * 128 * 64


def test_items_made_of_themselves_are_refused() -> None:
    tiles = heic(tile_size=64)
    references = tiles.index(b"dimg")
    first, second = tiles[references + 4 : references + 6], tiles[references + 8 : references + 10]
    assert (first, second) == (b"\0\1", b"\0\2")
    with pytest.raises(DamagedPicture, match="levels deep"):
        decode(tiles[: references + 8] + first + tiles[references + 10 :], LIMIT)


def test_a_heic_cut_off_anywhere_is_refused() -> None:
    for data in (heic(), heic(tile_size=64)):
        for length in [*range(1, len(data), 50), len(data) - 1]:
            with pytest.raises(ServiceError):
                decode(data[:length], LIMIT)


@pytest.mark.parametrize("stray", [b"\0", b"\0" * 100, b"a maker's own note of whatever", b"\xff\xd8\xff\xe0"])
def test_what_is_behind_the_last_box_is_passed_over(stray: bytes) -> None:
    assert decode(heic() + stray, LIMIT).width == 300


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


START = box(b"ftyp", b"heic\0\0\0\0heic") + box(b"mdat", b"")
PRIMARY = box(b"pitm", b"\0\0\0\0\0\1")
HOSTILE = {
    "nothing behind the start": START,
    "empty boxes": START + box(b"free", b"") * 2_000_000,
    "a box shorter than its head": START + struct.pack(">I4s", 3, b"meta") * 1000,
    "two boxes of meta": START + box(b"meta", b"\0\0\0\0") * 2,
    "empty boxes in meta": START + box(b"meta", b"\0\0\0\0" + box(b"free", b"") * 2_000_000),
    "no picture named": START + box(b"meta", b"\0\0\0\0"),
    "no properties": START + box(b"meta", b"\0\0\0\0" + PRIMARY),
    "a million items": START
    + box(
        b"meta",
        b"\0\0\0\0"
        + PRIMARY
        + box(b"iprp", box(b"ipco", b"") + box(b"ipma", struct.pack(">II", 0, 1_000_000) + b"\0\1\0" * 1_000_000)),
    ),
    "a property that isn't there": START
    + box(
        b"meta",
        b"\0\0\0\0" + PRIMARY + box(b"iprp", box(b"ipco", b"") + box(b"ipma", struct.pack(">IIHBB", 0, 1, 1, 1, 9))),
    ),
    "a million references": START
    + box(
        b"meta",
        b"\0\0\0\0"
        + PRIMARY
        + box(b"iprp", box(b"ipco", b"") + box(b"ipma", bytes(8)))
        + box(b"iref", b"\0\0\0\0" + box(b"dimg", struct.pack(">HH", 1, 65535) + bytes(131_070)) * 20),
    ),
}


@pytest.mark.alone
@pytest.mark.parametrize("name", HOSTILE)
def test_a_heic_made_to_be_expensive_is_cheap(name: str) -> None:
    started = time.process_time()
    assert isinstance(
        is_small(HOSTILE[name], LIMIT), bool
    )  # it looks at the size, too, before anybody catches an error
    with pytest.raises(DamagedPicture):
        decode(HOSTILE[name], LIMIT)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize("kind", [b"pitm", b"iprp", b"ipma", b"ipco", b"iinf", b"iloc", b"ispe", b"meta"])
def test_a_heic_without_one_of_its_boxes_is_damaged(kind: bytes) -> None:
    data = heic().replace(kind, b"free")
    is_small(data, LIMIT)  # raises nothing
    with pytest.raises(DamagedPicture):
        decode(data, LIMIT)


def test_mutated_files_are_answered_or_refused_and_never_anything_else() -> None:
    random = np.random.default_rng(5)
    files = [heic(), heic(tile_size=64), heic(drawing().convert("L"))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for each in range(600):
        mutated = bytearray(files[each % len(files)])
        for position in random.integers(0, min(len(mutated), 1200), random.integers(1, 5)):
            mutated[position] = random.integers(0, 256)
        try:
            assert decode(bytes(mutated), LIMIT).grey.dtype == np.uint8
        except ServiceError:
            continue
    kilobyte = 1024 if sys.platform == "darwin" else 1  # what it is counted in
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000 * kilobyte


def test_libheif_is_loaded_by_the_first_heic_and_not_before() -> None:
    program = "import sys, app.images.decode; sys.exit('pillow_heif' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT).returncode == 0
