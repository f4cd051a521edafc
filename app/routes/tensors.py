"""Tensors as the two protocols send them, in JSON or raw → arrays that the reader takes, checked."""

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import BadTensors, TooManyBytes, TooManyPictures
from app.images.normalize import PIXELS, SIDE
from app.model.tensors import Pixels

# What a tensor may be: its name → the type and the shape of a row.
INPUTS: dict[str, tuple[str, tuple[int, ...]]] = {"pixels": ("FP32", (PIXELS,)), "images": ("UINT8", (SIDE, SIDE))}
BYTES = "BYTES"
TYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "UINT8": np.dtype("u1")}
# `images` has 29 brackets a picture. Each list takes 60 bytes of memory, so 20 MB of nothing else would take 600.
BRACKETS_A_PICTURE, MORE_BRACKETS = 1024, 1024

Images = NDArray[np.uint8]


class Input(NamedTuple):
    """What is to be read; one of the three. `pixels`: float32 (N, 784) in 0..1; `images`: uint8 (N, 28, 28), white
    ink on black; `files`: N pictures, encoded.
    """

    pixels: Pixels | None = None
    images: Images | None = None
    files: list[bytes] | None = None


def parse_json(body: bytes, max_batch: int) -> dict[str, Any]:
    """The JSON object that `body` is. Raises: BadTensors, TooManyBytes."""
    limit = max_batch * BRACKETS_A_PICTURE + MORE_BRACKETS
    if body.count(b"[") + body.count(b"{") > limit:
        raise TooManyBytes(f"Expected at most {limit} lists and objects in a request; received more.")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadTensors(
            f"Expected JSON, which has no NaN and no Infinity; received a body that breaks off its form: {error}."
        ) from error
    if not isinstance(document, dict):
        raise BadTensors(f"Expected a JSON object; received {said(document)}.")
    return document


def from_json(name: str, data: object, shape: Sequence[int] | None, max_batch: int) -> Input:
    """The input `name` from its numbers, nested as its shape is, or flat where `shape` says it.

    Raises: BadTensors, TooManyPictures.
    """
    kind, row = INPUTS[name]
    if shape is not None:
        check_shape(name, shape, row, max_batch)
    numbers = _numbers(name, data)
    if shape is None:
        check_shape(name, numbers.shape, row, max_batch)
    elif numbers.ndim == 1 and numbers.size == math.prod(shape):
        numbers = numbers.reshape(shape)
    elif numbers.shape != tuple(shape):
        raise BadTensors(
            f"Expected data of the shape {list(shape)} for the input {name!r}, nested or flat; "
            f"received {list(numbers.shape)[:8]}."
        )
    if kind == "FP32":
        check_pixels(numbers)
        return Input(pixels=numbers.astype(np.float32))
    if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() > 255:
        received = f"some from {numbers.min()} to {numbers.max()}, {numbers.dtype}"
        raise BadTensors(f"Expected whole numbers from 0 to 255 in the input {name!r}; received {received}.")
    return Input(images=numbers.astype(np.uint8))


def from_raw(name: str, data: memoryview, shape: Sequence[int], max_batch: int) -> Input:
    """The input `name` from its bytes, little-endian, row by row; nothing is copied.

    Raises: BadTensors, TooManyPictures.
    """
    kind, row = INPUTS[name]
    check_shape(name, shape, row, max_batch)
    expected = math.prod(shape) * TYPES[kind].itemsize
    if len(data) != expected:
        raise BadTensors(
            f"Expected {expected} bytes of {kind} for the shape {list(shape)} of {name!r}; received {len(data)}."
        )
    numbers = np.frombuffer(data, TYPES[kind]).reshape(shape)
    if kind == "UINT8":
        return Input(images=numbers)
    check_pixels(numbers)
    return Input(pixels=numbers)


def raw_elements(data: memoryview, count: int) -> list[bytes]:
    """`count` BYTES elements, each after its length in four bytes, little-endian. Raises: BadTensors."""
    elements: list[bytes] = []
    start = 0
    while start < len(data) and len(elements) < count:
        end = start + 4 + int.from_bytes(data[start : start + 4], "little")
        elements.append(bytes(data[start + 4 : end]))
        start = end
    if len(elements) != count or start != len(data):
        raise BadTensors(
            f"Expected {count} elements of BYTES, each after its length in four bytes; "
            f"received {len(data)} bytes that are not that."
        )
    return elements


def decode_base64(text: object) -> bytes:
    """Raises: BadTensors, when `text` is no base64 of the standard alphabet."""
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise BadTensors(f"Expected the bytes of a picture in base64 (standard alphabet, padded); received {said(text)}.")


def check_count(count: int, max_batch: int) -> None:
    """Raises: BadTensors, when there is no row; TooManyPictures, when there are too many."""
    if count < 1:
        raise BadTensors("Expected at least one picture; received none.")
    if count > max_batch:
        raise TooManyPictures(f"Expected at most {max_batch} pictures in one request; received {count}.")


def check_shape(name: str, shape: Sequence[int], row: tuple[int, ...], max_batch: int) -> None:
    """Raises: BadTensors, unless `shape` is N of `row`; and as `check_count`."""
    if not shape or tuple(shape[1:]) != row:
        expected = ", ".join(["N", *map(str, row)])
        raise BadTensors(f"Expected the shape [{expected}] of the input {name!r}; received {list(shape)[:8]}.")
    check_count(shape[0], max_batch)


def check_pixels(numbers: NDArray[Any]) -> None:
    """Raises: BadTensors, unless all are in 0..1. What the network was never shown it would answer with confidence."""
    low, high = numbers.min(), numbers.max()
    if not (low >= 0 and high <= 1):  # so that NaN is refused as well
        received = "some that are none (NaN)" if np.isnan(low) else f"some from {low} to {high}"
        raise BadTensors(
            f"Expected finite numbers from 0 to 1, white ink on black; received {received}. "
            "Grey levels from 0 to 255 go into 'images', or are to be divided by 255."
        )


def said(value: object) -> str:
    """The beginning of `value` as JSON, for a message."""
    try:
        return repr(orjson.dumps(value, default=repr).decode()[:60])
    except orjson.JSONEncodeError:  # it reads 1024 levels and writes 254
        return "lists or objects in more than 254 levels"


def _numbers(name: str, data: object) -> NDArray[Any]:
    if data == []:
        check_count(0, 0)
    try:
        numbers = np.asarray(data)  # without a type: with one, it would take "0.5" and null for numbers
    except ValueError:  # rows of several lengths, or far too deep
        numbers = np.empty(0, object)
    if not isinstance(data, list) or numbers.dtype.kind not in "iuf":
        raise BadTensors(f"Expected numbers for the input {name!r}, in lists of equal length; received {said(data)}.")
    if not numbers.size:
        raise BadTensors(f"Expected numbers for the input {name!r}; received an empty list.")
    return numbers
