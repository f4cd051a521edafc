"""The reader without HTTP: pictures in, answers out."""

import asyncio
from pathlib import Path

import pytest

from app.errors import DamagedPicture, ServiceError, WrongSize
from app.model import saved_model
from app.reader import Reader
from tests.support import band, encode


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


def test_what_is_not_28x28_is_refused_for_now(reader: Reader) -> None:
    with pytest.raises(WrongSize, match="28x28 pixels; received one of 28x14"):
        asyncio.run(reader.read(encode(band(1)[:14])))
