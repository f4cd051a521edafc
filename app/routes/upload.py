"""The bytes of the pictures in a request, within limits, however they were sent."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request

from app.errors import (
    NoPicture,
    NotReady,
    ServiceError,
    TooManyBytes,
    TooManyParts,
    TooManyPictures,
    TooSlow,
    UnknownFormat,
    WrongField,
)
from app.routes.form import Part, parse_form
from app.settings import Settings

FORM = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"
# One is right; a few more are read so that the answer can name what is wrong with them.
MAX_PARTS = 8
# A form of this size is taken apart in less time than a thread takes to hand it over; 20 MiB made of almost-boundaries
# take two seconds.
SMALL_BYTES = 65_536


async def one_picture(request: Request, settings: Settings) -> bytes:
    """The picture in a request to /predict: the form's field `file`, or the body itself.

    Raises: a ServiceError, when there is no picture, more than one, too many bytes, or another content type.
    """
    content_type = request.headers.get("content-type", "")
    kind = _kind(content_type)
    if kind == FORM:
        body = await read_body(request, settings)
        parts = await _parse(content_type, body, MAX_PARTS, TooManyParts)
        _check_fields(parts, "file")
        if len(parts) > 1:
            raise WrongField(f"Expected one multipart field named 'file'; received {len(parts)}.")
        return parts[0].content
    if not (kind.startswith("image/") or kind in ("application/octet-stream", "")):
        raise _wrong_type(kind, "/predict -F file=@digit.png", f"{FORM}, image/* or application/octet-stream")
    body = await read_body(request, settings)
    if not body and not kind:
        raise NoPicture()
    return body


async def many_pictures(request: Request, settings: Settings) -> list[bytes]:
    """The pictures in a request to /predict/batch: the form's fields `files`, in order.

    Raises: a ServiceError, as `one_picture`, and TooManyPictures.
    """
    content_type = request.headers.get("content-type", "")
    kind = _kind(content_type)
    if kind != FORM:
        raise _wrong_type(kind, "/predict/batch -F files=@one.png -F files=@two.png", FORM)
    body = await read_body(request, settings)
    parts = await _parse(content_type, body, settings.max_batch, lambda: _too_many_pictures(settings.max_batch))
    _check_fields(parts, "files")
    return [part.content for part in parts]


async def read_body(request: Request, settings: Settings) -> bytes:
    """The whole body: its declared length is looked at first, and what really comes is counted all the same.

    Raises: TooManyBytes, TooSlow, NotReady; ClientDisconnect, when the client goes away in the middle.
    """
    limit = settings.max_upload_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise TooManyBytes(f"Expected a body of at most {limit} bytes; received one that declares {declared[:20]}.")
    chunks: list[bytes] = []
    received = 0
    try:
        async with asyncio.timeout(settings.receive_seconds):
            async for chunk in request.stream():
                received += len(chunk)
                if received > limit:
                    raise TooManyBytes(f"Expected a body of at most {limit} bytes; received more.")
                chunks.append(chunk)
    except asyncio.CancelledError as error:
        # the service ends and has waited long enough for this body; its client should learn so
        raise NotReady("The service is stopping; try again in a second.") from error
    except TimeoutError as error:
        raise TooSlow(
            f"Expected the whole body within {settings.receive_seconds:g} seconds; received {received} bytes by then."
        ) from error
    return b"".join(chunks)


async def _parse(content_type: str, body: bytes, max_parts: int, too_many: Callable[[], ServiceError]) -> list[Part]:
    if len(body) <= SMALL_BYTES:
        return parse_form(content_type, body, max_parts, too_many)
    return await asyncio.to_thread(parse_form, content_type, body, max_parts, too_many)


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _check_fields(parts: list[Part], expected: str) -> None:
    if not parts:
        raise NoPicture(f"Expected a picture in the multipart field {expected!r}; received a form without any field.")
    for part in parts:
        if part.name != expected:
            raise WrongField(
                f"Expected a multipart field named {expected!r}; received {part.name[:100]!r}. "
                f"With curl: -F {expected}=@digit.png"
            )


def _too_many_pictures(limit: int) -> TooManyPictures:
    return TooManyPictures(f"Expected at most {limit} pictures in one request; received more.")


def _wrong_type(kind: str, right_curl: str, expected: str) -> UnknownFormat:
    hint = "curl http://127.0.0.1:8000" + right_curl
    if kind == URL_ENCODED:
        hint += " (-F, where -d sends a form without files)"
    return UnknownFormat(f"Expected the Content-Type {expected}; received {kind[:100] or 'none'!r}. Try: {hint}")
