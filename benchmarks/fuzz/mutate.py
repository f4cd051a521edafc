"""Bytes → other bytes. What knows a format keeps it whole enough to reach what lies behind the first check."""

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from app.images.essentials import PNG_SIGNATURE
from benchmarks.fuzz.seeds import png_chunk

Piece = TypeVar("Piece")
Mutator = Callable[[bytes, Random, Sequence[bytes]], bytes]

MOST_CHANGES = 5
MOST_BLOCK = 64  # bytes that are moved, doubled or removed at once; now and then it is a large part of the whole
INTERESTING = (
    0,
    1,
    2,
    7,
    8,
    16,
    27,
    28,
    29,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
NUMBERS = tuple(struct.Struct(order + kind) for order in "<>" for kind in "BHI")
TOKENS = (
    *(
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"--",
        b"\0",
        b'"',
        b"\\",
        b";",
        b"=",
        b"%00",
        b"%2e%2e/",
        b"/",
        b"?",
        b"&",
        b":",
        b",",
    ),
    *(b"name=", b'name="file"', b"name*=utf-8''", b'filename="', b"boundary=", b"multipart/form-data; ", b"form-data"),
    *(b"Content-Disposition: ", b"Content-Type: ", b"Content-Length: 99999999999999999999\r\n", b"Accept: "),
    *(b"Transfer-Encoding: chunked\r\n", b"Range: bytes=0-,0-,0-\r\n", b"X-Request-ID: ", b"If-None-Match: *\r\n"),
    *(
        b"application/octet-stream",
        b"image/png",
        b"fit=never",
        b"preview=true",
        b"HEAD ",
        b"POST ",
        b"/predict",
        b"/read",
    ),
    *("é٣²".encode(), b"\xff\xfe", b"1" * 5000, b"--x\r\n", b"--x--\r\n"),
)


def plain(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Some changes of bits, numbers and blocks, anywhere. `others`: to take pieces from."""
    changed = bytearray(data)
    for _ in range(random.randint(1, MOST_CHANGES)):
        random.choice(CHANGES)(changed, random, others)
    return bytes(changed)


def text(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """As `plain`, and what forms and heads of requests are made of, put in between."""
    changed = bytearray(plain(data, random, others) if random.random() < 0.5 else data)
    for _ in range(random.randint(0, 3)):
        at, _ = _block(changed, random)
        changed[at : at + random.choice((0, 0, 4, 20))] = random.choice(TOKENS)
    return bytes(changed)


def png(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A PNG with other chunks, other contents or other pixels, and right checksums; or whatever `plain` makes of it."""
    chunks = _png_chunks(data)
    if not chunks or random.random() < 0.2:
        return plain(data, random, others)
    _shuffle(chunks, random, _png_chunks(random.choice(others)) if others else [])
    if chunks and random.random() < 0.8:
        at = random.randrange(len(chunks))
        kind, content = chunks[at]
        chunks[at] = kind, _pixels_changed(content, random) if kind == b"IDAT" else plain(content, random, ())
    return PNG_SIGNATURE + b"".join(png_chunk(*each) for each in chunks)


def segments(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A JPEG with other segments: moved, doubled, left out, changed within, their lengths right."""
    found = _jpeg_segments(data)
    if len(found) < 3 or random.random() < 0.3:
        return plain(data, random, others)
    _shuffle(found, random, _jpeg_segments(random.choice(others)) if others else [])
    if found and random.random() < 0.8:
        at = random.randrange(len(found))
        marker, content = found[at]
        found[at] = marker, plain(content, random, ())
    return b"\xff\xd8" + b"".join(_jpeg_segment(marker, content) for marker, content in found)


def boxes(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A HEIC in which one box, wherever it is, was changed, doubled or left out; all lengths are right."""
    if random.random() < 0.3:
        return plain(data, random, others)
    return _box_changed(data, random, others, depth=5)


def entries(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A TIFF with other entries in its directory."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 10 or random.random() < 0.3:
        return plain(data, random, others)
    (start,) = struct.unpack_from(order + "I", data, 4)
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = start + 2 + 12 * random.randrange(16) + random.choice((0, 2, 4, 8))
        if at + 4 <= len(changed):
            field = struct.Struct(order + random.choice("HI"))
            value = random.choice((*INTERESTING, random.randrange(65536), random.randrange(250, 350)))
            field.pack_into(changed, at, value % 256**field.size)
    return bytes(changed)


def _flip(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _number(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    number = random.choice(NUMBERS)
    if len(data) >= number.size:
        value = random.choice(INTERESTING) if random.random() < 0.7 else random.randrange(2**32)
        number.pack_into(data, random.randrange(len(data) - number.size + 1), value % 256**number.size)


def _insert(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at, _size = _block(data, random)
    data[at:at] = random.randbytes(random.randint(1, 16)) if random.random() < 0.5 else bytes(random.randint(1, 300))


def _remove(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at, size = _block(data, random)
    del data[at : at + size]


def _double(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at, size = _block(data, random)
    data[at:at] = data[at : at + size] * random.choice((1, 1, 2, 30))


def _move(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at, size = _block(data, random)
    to, _size = _block(data, random)
    data[to : to + size] = data[at : at + size]


def _cut(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if random.random() < 0.3:
        del data[random.randint(0, len(data)) :]


def _splice(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if others:
        other = random.choice(others)
        at, size = _block(bytearray(other), random)
        to, _size = _block(data, random)
        data[to : to + random.choice((0, size))] = other[at : at + size]


CHANGES = (_flip, _flip, _number, _number, _insert, _remove, _double, _move, _cut, _splice)


def _block(data: bytearray, random: Random) -> tuple[int, int]:
    """Where a block begins, and its length."""
    most = len(data) if random.random() < 0.1 else MOST_BLOCK
    return random.randint(0, len(data)), random.randint(1, max(1, most))


def _shuffle(pieces: list[Piece], random: Random, others: list[Piece]) -> None:
    """Doubles, removes or exchanges one, or takes one of `others`; or does nothing."""
    at, other = random.randrange(len(pieces)), random.randrange(len(pieces))
    match random.randrange(7):
        case 0:
            pieces.insert(at, pieces[other])
        case 1:
            del pieces[at]
        case 2:
            pieces[at], pieces[other] = pieces[other], pieces[at]
        case 3 if others:
            pieces.insert(at, random.choice(others))
        case 4:
            pieces[at:at] = [pieces[other]] * random.choice((2, 20, 300))
        case _:
            pass


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, start = [], len(PNG_SIGNATURE)
    while start + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        chunks.append((kind, data[start + 8 : start + 8 + length]))
        start += 12 + length
    return chunks


def _pixels_changed(packed: bytes, random: Random) -> bytes:
    try:
        rows = zlib.decompressobj().decompress(packed, 1_000_000)
    except zlib.error:
        return plain(packed, random, ())
    return zlib.compress(plain(rows, random, ()), 1)


def _jpeg_segments(data: bytes) -> list[tuple[int, bytes]]:
    """Marker and content; the pixels go with the segment in front of them."""
    found, start = [], 2
    while start + 4 <= len(data) and data[start] == 0xFF:
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if data[start + 1] == 0xDA:
            while 0 <= (end := data.find(b"\xff", end)) < len(data) - 1 and data[end + 1] in (0, *range(0xD0, 0xD8)):
                end += 2
            end = end if end >= 0 else len(data)
        found.append((data[start + 1], data[start + 4 : end]))
        start = end
    return found


def _jpeg_segment(marker: int, content: bytes) -> bytes:
    length = 2 + len(content)
    if marker == 0xDA and content:  # the length is that of the head alone
        length = 6 + 2 * content[0]
    return struct.pack(">BBH", 0xFF, marker, length % 65536) + content


CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"iref": 4, b"moov": 0}  # and where their boxes begin


def _box_changed(data: bytes, random: Random, others: Sequence[bytes], depth: int) -> bytes:
    found, start = [], 0
    while start + 8 <= len(data):
        length = max(8, int.from_bytes(data[start : start + 4], "big"))
        found.append((data[start + 4 : start + 8], data[start + 8 : start + length]))
        start += length
    if not found:
        return plain(data, random, others)
    at = random.randrange(len(found))
    kind, content = found[at]
    if kind in CONTAINERS and depth and random.random() < 0.9:
        begin = CONTAINERS[kind]
        found[at] = kind, content[:begin] + _box_changed(content[begin:], random, others, depth - 1)
    elif random.random() < 0.3:
        _shuffle(found, random, [])
    else:
        found[at] = kind, plain(content, random, ())
    return b"".join(struct.pack(">I4s", 8 + len(content), kind) + content for kind, content in found)


OF_FORMAT: dict[str, Mutator] = {"PNG": png, "JPEG": segments, "HEIC": boxes, "TIFF": entries}
