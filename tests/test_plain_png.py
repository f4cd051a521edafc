"""The short way for the usual PNG gives what the long way gives, or leaves the file to it."""

import struct
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.errors import ServiceError, TooManyPixels, WrongSize
from app.images import decode as long_way
from app.images.plain_png import AT_ONCE, SCANLINES, decode_plain_png, unfiltered, unfiltered_together, unpacked
from tests.support import band, chunk, encode, png
from training.dataset import Dataset

ROWS = b"".join(bytes([filter_type, *range(28)]) for filter_type in [0, 1, 2, 3, 4] * 5 + [0, 1, 2])


@pytest.fixture
def by_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_way, "decode_plain_png", lambda data: None)


def long_answer(data: bytes) -> NDArray[np.uint8] | None:
    try:
        return long_way.decode(data, 10_000, required_size=(28, 28)).grey
    except ServiceError:
        return None


def usual(packed: bytes) -> bytes:
    return png(28, 28, chunk(b"IDAT", packed))


@pytest.mark.usefixtures("by_the_long_way")
def test_mnists_digits_are_taken_and_are_the_same(mnist: Dataset) -> None:
    for image in mnist.x_test[:300]:
        data = encode(image)
        plain = decode_plain_png(data)
        assert plain is not None
        assert (plain == image).all()
        assert (long_answer(data) == image).all()


@pytest.mark.usefixtures("by_the_long_way")
@pytest.mark.parametrize("level", [0, 1, 9])
def test_every_filter_and_compression_is_taken(level: int) -> None:
    data = usual(zlib.compress(ROWS, level))
    plain = decode_plain_png(data)
    assert plain is not None
    assert (plain == long_answer(data)).all()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG",
        encode(band(1))[:-1],
        encode(band(1)) + b"x",
        encode(band(1).repeat(2, axis=0)),
        encode(np.dstack([band(1)] * 3)),
        png(28, 28, chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", zlib.compress(ROWS))),
        png(28, 28, chunk(b"IDAT", zlib.compress(ROWS)[:40]), chunk(b"IDAT", zlib.compress(ROWS)[40:])),
        usual(zlib.compress(ROWS)[:-1]),
        usual(zlib.compress(ROWS)[:-5]),
        usual(zlib.compress(ROWS[:-1])),
        usual(zlib.compress(ROWS[: 29 * 20])),
        usual(zlib.compress(ROWS + b"x")),
        usual(zlib.compress(bytes(10_000_000))),
        usual(zlib.compress(ROWS)[:-4] + b"\0\0\0\0"),
        usual(b""),
        usual(zlib.compress(b"\x05" + ROWS[1:])),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_whatever_is_different_or_damaged_is_left_to_the_long_way(data: bytes) -> None:
    assert decode_plain_png(data) is None


def test_a_wrong_checksum_is_left_to_the_long_way() -> None:
    data = bytearray(encode(band(1)))
    data[-13] ^= 1
    assert decode_plain_png(bytes(data)) is None


@settings(max_examples=400, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.binary(min_size=28, max_size=28)), min_size=26, max_size=30),
    cut=st.integers(0, 8),
    flip=st.none() | st.tuples(st.integers(0, 10_000), st.integers(1, 255)),
    mend=st.booleans(),
)
def test_what_it_gives_is_what_the_long_way_gives(
    rows: list[tuple[int, bytes]], cut: int, flip: tuple[int, int] | None, mend: bool
) -> None:
    packed = zlib.compress(b"".join(bytes([kind]) + row for kind, row in rows))
    data = bytearray(usual(packed[: len(packed) - cut]))
    if flip:
        data[flip[0] % len(data)] ^= flip[1]
    if mend:  # the checksum of the pixels fits again, so that what is behind it is looked at
        data[-16:-12] = struct.pack(">I", zlib.crc32(bytes(data[37:-16])))
    plain = decode_plain_png(bytes(data))
    if plain is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_way, "decode_plain_png", lambda data: None)
        answer = long_answer(bytes(data))
    assert answer is not None
    assert (plain == answer).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, AT_ONCE), st.integers(0, 2**32), st.sampled_from([0.0, 0.01, 1.0]))
def test_together_they_are_what_each_is_alone(count: int, seed: int, unknown: float) -> None:
    random = np.random.default_rng(seed)
    scanlines = random.integers(0, 256, (count, 28, 29), np.uint8)
    scanlines[:, :, 0] = np.where(random.random((count, 28)) < unknown / 28, 5, random.integers(0, 5, (count, 28)))
    images = unfiltered_together(scanlines.reshape(count, SCANLINES))
    for image, lines in zip(images, scanlines, strict=True):
        alone = unfiltered(lines.tobytes())
        assert np.array_equal(image, alone) if alone is not None else not image.any()


def test_mnists_digits_are_the_same_together(mnist: Dataset) -> None:
    images = mnist.x_test[:AT_ONCE]
    rows = [np.frombuffer(unpacked(encode(image)) or b"", np.uint8) for image in images]
    assert np.array_equal(unfiltered_together(np.stack(rows)), images)


def test_where_another_size_is_required_it_is_not_taken() -> None:
    with pytest.raises(WrongSize):
        long_way.decode(encode(band(1)), 10_000, required_size=(14, 56))
    with pytest.raises(TooManyPixels):
        long_way.decode(encode(band(1)), 783)


def test_threads_do_not_draw_on_each_others_canvas() -> None:
    wrong: list[int] = []

    def read(digit: int) -> None:
        data = encode(band(digit))
        for _ in range(2000):
            plain = decode_plain_png(data)
            if plain is None or not (plain == band(digit)).all():
                wrong.append(digit)

    threads = [threading.Thread(target=read, args=(digit,)) for digit in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
