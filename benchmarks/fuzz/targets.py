"""What is attacked, a function each: it takes any bytes, and raises when something is not as it should be.

A ServiceError is as it should be: a client is told what is wrong. Every other exception is a finding.
"""

import asyncio
import json
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
from python_multipart.multipart import parse_options_header

from app.errors import ServiceError, TooManyParts
from app.images import decode as decoding
from app.images.essentials import jpeg_essentials, png_essentials
from app.images.fit import fit
from app.images.heic import heic_contents
from app.images.normalize import SIDE
from app.images.orientation import EXIF, orientation_of
from app.images.plain_png import decode_plain_png
from app.images.prepare import AS_IT_IS, PictureNote, prepare
from app.images.segment import segment_file
from app.images.untouched import untouched
from app.routes.form import Part, parse_form
from app.routes.plain_body import plain_picture
from app.telemetry.log import LINES
from app.telemetry.request_id import SANE_ID, choose_id
from app.telemetry.trace import sane_trace, trace_id
from benchmarks.fuzz import application, mutate, seeds
from benchmarks.fuzz.mutate import Mutator

MAX_PIXELS = 1_000_000  # so that what takes long doesn't do so by its mere size
MAX_PARTS = 8
REFUSED = (ValueError, struct.error, IndexError, KeyError)  # what `decode` catches of who reads headers


@dataclass(frozen=True)
class Target:
    """`prepare` makes the function that is attacked, once a process; `share`: of all inputs, in a thousand."""

    prepare: Callable[[], Callable[[bytes], None]]
    seeds: Callable[[], Iterator[bytes]]
    mutator: Mutator
    share: int


def decode(data: bytes) -> None:
    """Grey pixels of the size that is said, whatever else is asked for, and the same where it is small."""
    with suppress(ServiceError):
        decoding.is_small(data, MAX_PIXELS)
        picture = decoding.decode(data, MAX_PIXELS)
        check(picture.grey.dtype == np.uint8 and picture.grey.shape == (picture.height, picture.width), "the shape")
        check(0 < picture.width * picture.height <= MAX_PIXELS, "the size")
        smaller = decoding.decode(data, MAX_PIXELS, enough=20)
        check((smaller.width, smaller.height) == (picture.width, picture.height), "the size at a reduced scale")
        check(min(smaller.grey.shape) >= 1, "no pixels at a reduced scale")
        plain = decode_plain_png(data)
        check(plain is None or np.array_equal(plain, picture.grey), "the short way's pixels")


def prepared(data: bytes) -> None:
    """28x28, and a note that is right; with `may_fit` and without."""
    for may_fit in (True, False):
        with suppress(ServiceError):
            image, note = prepare(data, MAX_PIXELS, may_fit, preview=may_fit)
            check(image.shape == (SIDE, SIDE) and image.dtype == np.uint8, "not 28x28")
            _check_note(note)
            if may_fit and (left := untouched([data, data])[1]) is not None:
                check(np.array_equal(left, image) and note._replace(preview=None) == AS_IT_IS, "left as it is")


def _check_note(note: PictureNote) -> None:
    if note.box is not None:
        left, top, right, bottom = note.box
        check(0 <= left < right <= note.width and 0 <= top < bottom <= note.height, f"the box {note.box}")


def fitted(data: bytes) -> None:
    """An array of any shape, as `seeds.arrays` writes it."""
    height, width, mode = (*data[:3], 0, 0, 0)[:3]
    height, width = max(1, height), max(1, width)
    pixels = np.resize(np.frombuffer(data[3:] or b"\0", np.uint8), (height, width))
    if mode & 1:  # the same, larger
        pixels = np.ascontiguousarray(pixels.repeat(4, 0).repeat(3, 1))
    with suppress(ServiceError):
        found = fit(pixels)
        check(found.image.shape == (SIDE, SIDE) and found.image.dtype == np.uint8, "not 28x28")
        left, top, right, bottom = found.box
        check(0 <= left < right <= pixels.shape[1] and 0 <= top < bottom <= pixels.shape[0], f"the box {found.box}")


def rows(data: bytes) -> None:
    """All digits of a picture."""
    with suppress(ServiceError):
        for line in segment_file(data, MAX_PIXELS).lines:
            for group in line.groups:
                check(group.image.shape == (SIDE, SIDE), "not 28x28")


def headers(data: bytes) -> None:
    """What reads files before Pillow does, of each format, whatever the file is."""
    for size in decoding.SIZE_OF.values():
        with suppress(*REFUSED):
            size(data)
    for essentials in (png_essentials, jpeg_essentials):
        with suppress(*REFUSED):
            essentials(data)
    with suppress(*REFUSED):
        check(heic_contents(data).all >= 0, "the number of pixels")
    for name in EXIF:
        check(1 <= orientation_of(name, data) <= 8, "the orientation")


def form(data: bytes) -> None:
    """A Content-Type up to the first line break, and a body: what the strict scan finds, the parser finds, too."""
    content_type, _, body = data.partition(b"\n")
    found: list[Part] | None = None
    with suppress(ServiceError):
        found = parse_form(content_type.decode("latin-1"), body, MAX_PARTS, TooManyParts)
    picture = plain_picture(content_type, body)
    if picture is not None and content_type.startswith(b"multipart/"):
        check(found == [Part("file", picture)], f"the scan found {picture!r}, the parser {found!r}")


def text(data: bytes) -> None:
    """One field of a head: an id, a trace, a type, or a path in a line of the log."""
    request_id = choose_id(data)
    check(SANE_ID.fullmatch(request_id.encode("ascii")) is not None, "the id")
    trace = sane_trace(data)
    if trace:
        check(len(trace_id(trace)) == 32, "the trace")
    parse_options_header(data.decode("latin-1"))
    scope = {"type": "http", "method": "GET", "path": data.decode("utf-8", "replace"), "client": ("127.0.0.1", 1)}
    for name, line in LINES.items():
        if line:
            written = line(time.time(), scope, 404, 0.001, request_id, trace)
            check(len(written.splitlines()) == 1 and written.endswith("\n"), f"a line of the log: {written!r}")
            if name == "json":
                json.loads(written)


def _application() -> Callable[[bytes], None]:
    running = application.Running(asyncio.new_event_loop())
    return running.ask


def check(right: bool, what: str) -> None:
    """Raises: AssertionError, unless it is right."""
    if not right:
        raise AssertionError(f"wrong: {what}")


def _ready(function: Callable[[bytes], None]) -> Callable[[], Callable[[bytes], None]]:
    return lambda: function


TARGETS: dict[str, Target] = {
    **{
        f"decode-{name.lower()}": Target(_ready(decode), files, mutate.OF_FORMAT.get(name, mutate.plain), 60)
        for name, files in seeds.FILES.items()
    },
    "prepare": Target(_ready(prepared), partial(iter, seeds.every_file()), mutate.plain, 60),
    "fit": Target(_ready(fitted), seeds.arrays, mutate.plain, 100),
    "read": Target(_ready(rows), seeds.rows_of_digits, mutate.png, 20),
    "headers": Target(_ready(headers), partial(iter, seeds.every_file()), mutate.plain, 100),
    "form": Target(_ready(form), seeds.forms, mutate.text, 150),
    "text": Target(_ready(text), seeds.texts, mutate.text, 50),
    "application": Target(_application, seeds.requests, mutate.text, 100),
}
