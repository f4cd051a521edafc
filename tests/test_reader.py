"""The reader without HTTP: pictures in, answers out."""

import asyncio
import gc
import threading
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import DamagedPicture, Overloaded, ServiceError, WrongSize
from app.images.normalize import normalize
from app.images.plain_png import SCANLINES
from app.model import saved_model
from app.model.batcher import Rows
from app.model.model import Model
from app.reader import Answer, Reader
from tests.support import band, chunk, encode, png
from training.dataset import Dataset


@pytest.fixture(scope="module")
def reader(tiny_models: Path) -> Reader:
    return Reader(saved_model.load(tiny_models / "2"), max_pixels=1_000_000, max_batch=64, max_pending=64)


def test_a_picture_is_read(reader: Reader) -> None:
    answer = asyncio.run(reader.read(encode(band(3))))
    assert (answer.digit, answer.label) == (3, "digit 3")
    assert answer.confidence == answer.probabilities[3]
    assert answer.picture.preview is None


def test_many_are_read_in_order_with_errors_in_their_places(reader: Reader) -> None:
    answers = asyncio.run(reader.read_many([encode(band(1)), b"\x89PNG", encode(band(2))]))
    assert [None if isinstance(each, ServiceError) else each.digit for each in answers] == [1, None, 2]
    assert isinstance(answers[1], DamagedPicture)


def test_those_that_are_left_as_they_are_and_those_that_are_not_get_their_own_answers(
    shipped: Model, mnist: Dataset
) -> None:
    """Together or alone, in one call for all of them: digits, a light page, an unknown filter, a blank picture."""
    reader = Reader(shipped, max_pixels=1_000_000, max_batch=256, max_pending=256)
    odd = [encode(255 - mnist.x_test[3]), png(28, 28, chunk(b"IDAT", zlib.compress(b"\x05" * SCANLINES)))]
    odd += [encode(np.zeros((28, 28), np.uint8)), encode(np.roll(mnist.x_test[4], 4, axis=1))]
    files = [encode(image) for image in mnist.x_test[:96]]
    for place, data in zip((0, 7, 40, 41), odd, strict=True):
        files.insert(place, data)

    async def together() -> list[Answer | BaseException]:
        return await asyncio.gather(*map(reader.read, files), return_exceptions=True)

    alone = [asyncio.run(_answer(reader, data)) for data in files]
    for answers in (asyncio.run(together()), asyncio.run(reader.read_many(files))):
        for got, expected in zip(answers, alone, strict=True):
            if isinstance(expected, ServiceError):
                assert (type(got), str(got)) == (type(expected), str(expected))
            else:
                assert isinstance(got, Answer)
                assert (got.digit, got.picture) == (expected.digit, expected.picture)
                assert np.abs(got.probabilities - expected.probabilities).max() < 1e-5
    assert sum(isinstance(each, ServiceError) for each in alone) == 2
    assert sum(isinstance(each, Answer) and each.picture.fitted for each in alone) == 2


async def _answer(reader: Reader, data: bytes) -> Answer | ServiceError:
    try:
        return await reader.read(data)
    except ServiceError as error:
        return error


def test_what_is_not_28x28_is_refused_for_now(reader: Reader) -> None:
    with pytest.raises(WrongSize, match="28x28 pixels; received one of 28x14"):
        asyncio.run(reader.read(encode(band(1)[:14])))


def test_beyond_max_pending_requests_are_refused_before_any_work_and_afterwards_all_is_well(tiny_models: Path) -> None:
    reader = Reader(saved_model.load(tiny_models / "2"), max_pixels=1_000_000, max_batch=64, max_pending=3)

    async def burst() -> list[object]:
        pictures = [encode(band(digit)) for digit in range(5)]
        many = [reader.read_many([picture]) for picture in pictures]
        return await asyncio.gather(*many, reader.read(pictures[0]), return_exceptions=True)

    answers = asyncio.run(burst())
    assert [isinstance(each, Overloaded) for each in answers] == [False] * 3 + [True] * 3
    assert asyncio.run(reader.read(encode(band(6)))).digit == 6


def test_a_reader_with_another_model_shares_the_room_and_the_thread_and_nothing_else(tiny_models: Path) -> None:
    first = Reader(saved_model.load(tiny_models / "1"), max_pixels=1_000_000, max_batch=64, max_pending=3)
    second = first.with_model(saved_model.load(tiny_models / "2"))
    assert (first.model.version, second.model.version) == (1, 2)
    files = [encode(band(5))]

    async def burst() -> Sequence[object]:
        every = (first.read_many(files), second.read_many(files), first.read(files[0]), second.read(files[0]))
        return await asyncio.gather(*every, return_exceptions=True)

    threads = threading.active_count()
    answers = asyncio.run(burst())
    assert [isinstance(each, Overloaded) for each in answers] == [False] * 3 + [True]
    assert threading.active_count() == threads + 1
    assert asyncio.run(second.read(files[0])).digit == 5


def test_a_model_that_is_replaced_is_let_go_of(tiny_models: Path) -> None:
    reader = Reader(saved_model.load(tiny_models / "1"), max_pixels=1_000_000, max_batch=64, max_pending=3)
    old = weakref.ref(reader.model._loaded)
    assert asyncio.run(reader.read(encode(band(5)))).digit == 5
    reader = reader.with_model(saved_model.load(tiny_models / "2"))
    gc.collect()
    assert old() is None
    assert asyncio.run(reader.read(encode(band(5)))).digit == 5


def test_images_as_they_are_count_as_a_request_too_and_only_as_long_as_they_take(tiny_models: Path) -> None:
    reader = Reader(saved_model.load(tiny_models / "2"), max_pixels=1_000_000, max_batch=64, max_pending=1)
    images = np.stack([band(digit) for digit in (3, 1, 4)])

    async def two() -> list[Any]:
        return list(
            await asyncio.gather(reader.read_images(images), reader.read_images(images), return_exceptions=True)
        )

    for _ in range(3):
        first, second = asyncio.run(two())
        assert isinstance(second, Overloaded)
        assert isinstance(first, np.ndarray)
        answers = reader.answers(first)
        assert [answer.digit for answer in answers] == [3, 1, 4]
        assert [answer.confidence for answer in answers] == first.max(axis=1).tolist()


def test_images_as_they_are_are_read_as_files_are(shipped: Model, mnist: Dataset) -> None:
    reader = Reader(shipped, max_pixels=1_000_000, max_batch=64, max_pending=4)
    images = mnist.x_test[:20]

    async def both() -> tuple[Any, list[Any]]:
        return await reader.read_images(images), list(await reader.read_many([encode(image) for image in images]))

    raw, files = asyncio.run(both())
    assert np.abs(raw[:, :10] - [each.probabilities for each in files]).max() <= 1e-5


def test_a_large_file_is_decoded_off_the_loop(reader: Reader) -> None:
    data = encode(band(4)) + bytes(100_000)

    async def read_and_tick() -> tuple[int, int]:
        ticks = 0
        task = asyncio.create_task(reader.read(data))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0)
        return (await task).digit, ticks

    digit, ticks = asyncio.run(read_and_tick())
    assert digit == 4
    assert ticks > 1


def test_pixels_share_calls_and_count_as_requests(tiny_models: Path) -> None:
    reader = Reader(saved_model.load(tiny_models / "2"), max_pixels=1_000_000, max_batch=64, max_pending=2)
    pixels = normalize(np.stack([band(digit) for digit in (3, 1, 4)]))
    run, sizes = reader._pixel_batcher._run, []

    def counted(rows: Rows) -> Rows:
        sizes.append(len(rows))
        return run(rows)

    reader._pixel_batcher._run = counted

    async def three() -> list[Any]:
        asked = (reader.read_pixels(pixels) for _ in range(3))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    *answers, refused = asyncio.run(three())
    assert isinstance(refused, Overloaded)
    assert [rows.argmax(axis=1).tolist() for rows in answers] == [[3, 1, 4]] * 2
    assert sizes == [6]
