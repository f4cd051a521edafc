"""What a HEIC says of its size, and of the work that it makes, read before libheif is let at it.

A HEIC is a tree of boxes (ISO/IEC 14496-12). One of them, `meta`, lists items: the picture, and mostly the tiles that
it is put together from (ISO/IEC 23008-12). libheif holds each coded item to the size that is written here, but it would
decode a tile as often as it is referred to, and whatever is cropped away. Each walk has a bound.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.images.headers import Size

BOX_HEAD = 8  # bytes: length and kind
NEEDED = (b"meta", b"mdat")  # whole; of a file cut off in its pixels libheif would give the tiles that are there
MAX_BOXES = 4096  # in any one box
MAX_ITEMS = 1000  # libheif's own limit; a telephone's photo has some hundred
MAX_ASSOCIATIONS = 4  # boxes of them: there are four ways to write one
MAX_DEPTH = 6  # of items made of items; a telephone's photo has two levels
MAX_REFERENCES = 65_536

Properties = list[tuple[bytes, memoryview]]
Boxes = Mapping[bytes, list[memoryview]]


class Contents(NamedTuple):
    """`size`: width and height, upright and cropped. `largest`: the pixels of the largest item that is decoded for it.

    `all`: the pixels of all items that are, each as often as it is.
    """

    size: Size
    largest: int
    all: int


def heic_contents(data: bytes) -> Contents:
    """What the first picture of a HEIC is and takes.

    Raises: ValueError, with the reason; struct.error or IndexError where the file ends early; KeyError where a part
    is missing.
    """
    outermost = _children(memoryview(data), outermost=True)
    for kind in NEEDED:
        if kind not in outermost:
            raise ValueError(f"it has no whole box of the kind {kind!r}")
    meta = _children(_only(outermost, b"meta")[4:])
    identity = _only(meta, b"pitm")
    (primary,) = struct.unpack_from(">I" if identity[0] else ">H", identity, 4)
    items = _items(_children(_only(meta, b"iprp")))
    parts = _parts(_only(meta, b"iref")) if b"iref" in meta else {}
    largest, every = _work(primary, items, parts, {}, MAX_DEPTH)
    return Contents(_upright_size(items[primary]), largest, every)


def heic_size(data: bytes) -> Size:
    """Width and height of the first picture, upright."""
    return heic_contents(data).size


def _boxes(content: memoryview, outermost: bool = False) -> Iterator[tuple[bytes, memoryview]]:
    """The kind and content of each box in `content` (ISO/IEC 14496-12, section 4.2).

    `outermost`: what ends a file may be something else, or a box that is cut off; neither is given.
    """
    start = 0
    for _ in range(MAX_BOXES):
        if start >= len(content) or (outermost and start + BOX_HEAD > len(content)):
            return
        length, kind = struct.unpack_from(">I4s", content, start)
        head = BOX_HEAD
        if length == 1:  # it stands behind the kind, in 64 bits
            (length,) = struct.unpack_from(">Q", content, start + head)
            head += 8
        elif length == 0:  # all the rest
            length = len(content) - start
        if length < head:
            raise ValueError("a box in it is shorter than its head")
        if start + length > len(content):
            if outermost:
                return
            raise ValueError("it ends inside a box")
        yield kind, content[start + head : start + length]
        start += length
    raise ValueError(f"it has more than {MAX_BOXES} boxes in one")


def _children(content: memoryview, outermost: bool = False) -> Boxes:
    children: dict[bytes, list[memoryview]] = {}
    for kind, each in _boxes(content, outermost):
        children.setdefault(kind, []).append(each)
    return children


def _only(boxes: Boxes, kind: bytes) -> memoryview:
    found = boxes[kind]
    if len(found) > 1:  # else libheif and we might each read another
        raise ValueError(f"it has two boxes of the kind {kind!r}")
    return found[0]


def _items(boxes: Boxes) -> dict[int, Properties]:
    """The properties of each item, in their order (ISO/IEC 23008-12, section 9.3)."""
    properties = list(_boxes(_only(boxes, b"ipco")))
    if len(boxes[b"ipma"]) > MAX_ASSOCIATIONS:
        raise ValueError(f"it has more than {MAX_ASSOCIATIONS} boxes of the kind b'ipma'")
    items: dict[int, Properties] = {}
    for box in boxes[b"ipma"]:
        identity, index = struct.Struct(">I" if box[0] else ">H"), struct.Struct(">H" if box[3] & 1 else ">B")
        essential = 1 << (8 * index.size - 1)  # the highest bit says whether one must understand the property
        (count,) = struct.unpack_from(">I", box, 4)
        if count > MAX_ITEMS:
            raise ValueError(f"it has more than {MAX_ITEMS} items")
        at = 8
        for _ in range(count):
            (item,) = identity.unpack_from(box, at)
            at += identity.size + 1
            end = at + box[at - 1] * index.size
            numbers = [number & ~essential for (number,) in index.iter_unpack(box[at:end])]
            items.setdefault(item, []).extend(properties[number - 1] for number in numbers if number)
            at = end
    return items


def _parts(references: memoryview) -> dict[int, list[int]]:
    """The items that each item is made of: its tiles, and its opacity (ISO/IEC 14496-12, section 8.11.12)."""
    letter = "I" if references[0] else "H"
    head = struct.Struct(f">{letter}H")
    parts: dict[int, list[int]] = {}
    total = 0
    for kind, content in _boxes(references[4:]):
        item, count = head.unpack_from(content)
        total += count
        if total > MAX_REFERENCES:
            raise ValueError(f"it has more than {MAX_REFERENCES} references")
        others = struct.unpack_from(f">{count}{letter}", content, head.size)
        if kind == b"dimg":
            parts.setdefault(item, []).extend(others)
        elif kind == b"auxl":
            for other in others:
                parts.setdefault(other, []).append(item)
    return parts


def _work(
    item: int,
    items: dict[int, Properties],
    parts: dict[int, list[int]],
    known: dict[int, tuple[int, int]],
    depth: int,
) -> tuple[int, int]:
    """The pixels of the largest item that must be decoded for `item`, and those of all. `known`: the answers so far."""
    if depth == 0:
        raise ValueError(f"its items are made of items more than {MAX_DEPTH} levels deep")
    if item not in known:
        pixels = max(width * height for width, height in _sizes(items[item]))
        works = [_work(part, items, parts, known, depth - 1) for part in parts.get(item, [])]
        known[item] = max([pixels, *(each[0] for each in works)]), pixels + sum(each[1] for each in works)
    return known[item]


def _sizes(properties: Properties) -> list[Size]:
    sizes = [struct.unpack_from(">II", content, 4) for kind, content in properties if kind == b"ispe"]
    if not sizes:
        raise ValueError("a picture in it has no size")
    return [(width, height) for width, height in sizes]


def _upright_size(properties: Properties) -> Size:
    """The size with each crop and turn applied, in the order in which they stand."""
    width, height = _sizes(properties)[0]
    for kind, content in properties:
        if kind == b"clap":
            numerators_and_denominators = struct.unpack_from(">4I", content)
            if 0 in numerators_and_denominators:
                raise ValueError("nothing is left of its picture")
            wide, of_wide, high, of_high = numerators_and_denominators
            width, height = round(wide / of_wide), round(high / of_high)
        elif kind == b"irot" and content[0] & 1:  # quarters of a turn
            width, height = height, width
    return width, height
