"""The bytes of the pictures in a request, within limits, however they were sent."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request

from app.errors import (
    NoPicture,
    RaggedImages,
    ServiceError,
    TooManyParts,
    TooManyPictures,
    UnknownFormat,
    WrongField,
)
from app.images.normalize import PIXELS, SIDE
from app.reader import Reader
from app.routes.body import read_body
from app.routes.form import Part, parse_form
from app.settings import Settings

FORM = "multipart/form-data"
OCTETS = "application/octet-stream"
NOT_PACKED = "identity"
URL_ENCODED = "application/x-www-form-urlencoded"
# One is right; a few more are read so that the answer can name what is wrong with them.
MAX_PARTS = 8
# A form of this size is taken apart in less time than a thread takes to hand it over; 20 MiB made of almost-boundaries
# take two seconds.
SMALL_BYTES = 65_536
LARGE_BYTES = 100_000


async def one_picture(request: Request, settings: Settings) -> bytes:
    """The picture in a request to /predict or /read: the form's field `file`, or the body itself.

    Raises: a ServiceError, when there is no picture, more than one, too many bytes, or another content type.
    """
    check_not_packed(request, UnknownFormat)
    content_type, kind = request.headers.get("content-type", ""), kind_of(request)
    if kind == FORM:
        with expecting(request):
            body = await read_body(request, settings)
            parts = await _parse(content_type, body, MAX_PARTS, TooManyParts)
        _check_fields(parts, "file")
        if len(parts) > 1:
            raise WrongField(f"Expected one multipart field named 'file'; received {len(parts)}.")
        return parts[0].content
    if not (kind.startswith("image/") or kind in (OCTETS, "")):
        raise _wrong_type(request, f"{request.scope['path']} -F file=@digit.png", f"{FORM}, image/* or {OCTETS}")
    with expecting(request):
        body = await read_body(request, settings)
    if not body and not kind:
        raise NoPicture()
    return body


async def many_pictures(request: Request, settings: Settings) -> list[bytes]:
    """The pictures in a request to /predict/batch: the form's fields `files`, in order.

    Raises: a ServiceError, as `one_picture`, and TooManyPictures.
    """
    check_not_packed(request, UnknownFormat)
    content_type, kind = request.headers.get("content-type", ""), kind_of(request)
    if kind != FORM:
        raise _wrong_type(request, "/predict/batch -F files=@one.png -F files=@two.png", f"{FORM} or {OCTETS}")
    if _is_large(request):
        request.app.state.reader.check_room_for_batch()
    body = await read_body(request, settings)
    parts = await _parse(content_type, body, settings.max_batch, lambda: _too_many_pictures(settings.max_batch))
    _check_fields(parts, "files")
    return [part.content for part in parts]


async def raw_images(request: Request, settings: Settings) -> NDArray[np.uint8]:
    """The images in a request to /predict/batch that sends them raw: uint8 (N, 28, 28), white ink on black.

    Raises: a ServiceError, when there is none, a part of one, or too many.
    """
    check_not_packed(request, UnknownFormat)
    body = await read_body(request, settings)
    if not body:
        raise NoPicture("Expected raw images of 28x28 = 784 bytes each; received an empty body.")
    if len(body) % PIXELS:
        raise RaggedImages(f"Expected raw images of 28x28 = {PIXELS} bytes each; received {len(body)} bytes.")
    if len(body) > settings.max_batch * PIXELS:
        raise _too_many_pictures(settings.max_batch, str(len(body) // PIXELS))
    return np.frombuffer(body, np.uint8).reshape(-1, SIDE, SIDE)


def expecting(request: Request) -> AbstractContextManager[None]:
    """In this, a large body may arrive, for there is a place for what is in it.

    Raises, when it is entered: Overloaded. So what would have to wait for too long is refused before it is sent.
    """
    reader: Reader = request.app.state.reader
    return reader.expecting() if _is_large(request) else nullcontext()


def _is_large(request: Request) -> bool:
    """Whether the body says that it is; most of what is smaller is quick."""
    length = request.headers.get("content-length", "")
    return length.isdecimal() and len(length) >= len(str(LARGE_BYTES))


async def _parse(content_type: str, body: bytes, max_parts: int, too_many: Callable[[], ServiceError]) -> list[Part]:
    if len(body) <= SMALL_BYTES:
        return parse_form(content_type, body, max_parts, too_many)
    return await asyncio.to_thread(parse_form, content_type, body, max_parts, too_many)


def kind_of(request: Request) -> str:
    """The request's media type, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_fields(parts: list[Part], expected: str) -> None:
    if not parts:
        raise NoPicture(f"Expected a picture in the multipart field {expected!r}; received a form without any field.")
    for part in parts:
        if part.name != expected:
            also = " also" if any(each.name == expected for each in parts) else ""
            raise WrongField(
                f"Expected no multipart field but {expected!r}; received{also} {part.name[:100]!r}. "
                f"With curl: -F {expected}=@digit.png"
            )


def _too_many_pictures(limit: int, received: str = "more") -> TooManyPictures:
    return TooManyPictures(f"Expected at most {limit} pictures in one request; received {received}.")


def check_not_packed(request: Request, error: type[ServiceError]) -> None:
    """Raises: `error`, when the body as a whole is compressed: pictures are already."""
    for encoding in request.headers.getlist("content-encoding"):
        if encoding.lower() != NOT_PACKED:
            raise error(f"Expected a body that is not compressed; received the Content-Encoding {encoding[:100]!r}.")
    for coding in request.headers.getlist("transfer-encoding"):  # the parser undoes the last alone
        if coding.lower() != "chunked":
            raise error(f"Expected no Transfer-Encoding but chunked; received {coding[:100]!r}.")


def _wrong_type(request: Request, right_curl: str, expected: str) -> UnknownFormat:
    kind = kind_of(request)
    hint = f"curl {_address(request)}{right_curl}"
    if kind == URL_ENCODED:
        hint += " (-F, where -d sends a form without files)"
    return UnknownFormat(f"Expected the Content-Type {expected}; received {kind[:100] or 'none'!r}. Try: {hint}")


def _address(request: Request) -> str:
    """That of the service, as the client calls it."""
    host = request.headers.get("host") or "{}:{}".format(*request.scope["server"])
    return f"{request.scope['scheme']}://{host[:100]}"
