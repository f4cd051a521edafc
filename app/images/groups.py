"""A line of ink → all groups of neighbouring pieces that may be one digit, each prepared as MNIST's were."""

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.images.box import Box
from app.images.closeup import CloseUp
from app.images.cuts import find_seams
from app.images.mnist import as_mnist
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.parts import Digit
from app.images.rows import usual_height

WIDEST = 1.5  # of a digit's height: a wider group is no digit
OWN_HEIGHT, OWN_GAP = 0.6, 0.06  # of it: wholes so tall, and so far beside each other, are no parts of one digit
PART_GAP = 0.35  # of it: and no whole that is further off is a part
MOST_TOGETHER = 5  # pieces of one digit: a broken one, or one that was cut in vain
NARROWEST = 1 / 15  # of its longer side: a narrower group is a line, and no stroke
RIM = 3  # pixels around a group that are handed on with it
FAR = 1.0  # of a digit's height: neighbours further off are as good as none


class Piece(NamedTuple):
    """Ink that is not cut any further: `ink` pixels, `number` in the labels of the close-up, inside `box`.

    `whole`: the number of the connected ink that it is all or a slice of, and `width` that one's width. Slices of one
    whole are numbered one after the other; `before` and `after` are the pixels of ink cut through on either side.
    """

    number: int
    box: Box
    ink: int
    whole: int
    width: int
    before: float
    after: float


class Run(NamedTuple):
    """The pieces of a line from `first` up to `last`, which is one beyond; `box`: around them; `height`: of a digit."""

    first: int
    last: int
    box: Box
    height: float


class Group(NamedTuple):
    """What may be a digit: the pieces of a line from `first` up to `last`, which is one beyond.

    `image`: uint8 (28, 28), white ink on black. `box`: around it. `traits`: float32 (13,), its form and place, as
    `_form` and `_room` tell them.
    """

    first: int
    last: int
    image: Grey
    box: Box
    traits: NDArray[np.float32]

    @property
    def filled(self) -> float:
        """How much of its box is ink, 0..1."""
        height, width, ink = self.traits[[0, 1, 5]]
        return float(ink / (height * width))


def cut_apart(close_up: CloseUp, row: list[int], number: int) -> list[Piece]:
    """All pieces of a row, whose wholes are `row`, from left to right, with wide ones cut along every seam.

    Slices are numbered from `number` on, also in the close-up's labels.
    """
    pieces: list[Piece] = []
    for whole in row:
        left, top, right, bottom = close_up.boxes[whole].tolist()
        labels = close_up.labels[top:bottom, left:right]
        mask = np.where(labels == whole + 1, 255, 0).astype(np.uint8)
        seams = find_seams(mask, close_up.height)
        if not seams:
            ink = cv2.countNonZero(mask)
            pieces.append(Piece(whole + 1, (left, top, right, bottom), ink, whole, right - left, 0, 0))
            continue
        crossed = [0.0, *(seam.ink for seam in seams), 0.0]
        beyond = sum((np.arange(right - left) >= seam.columns[:, np.newaxis]).astype(np.uint8) for seam in seams)
        for place, (before, after) in enumerate(pairwise(crossed)):
            part = np.where(beyond == place, mask, 0).astype(np.uint8)
            x, y, width, height = cv2.boundingRect(part)
            if width:
                labels[part > 0] = number
                box = left + x, top + y, left + x + width, top + y + height
                pieces.append(Piece(number, box, cv2.countNonZero(part), whole, right - left, before, after))
                number += 1
        number += 1  # so that the slices of two wholes don't follow each other
    return sorted(pieces, key=lambda piece: piece.box[0] + piece.box[2])


def runs_of(row: list[Piece]) -> list[Run]:
    """Every run of neighbours in `row` that is no wider than a digit may be."""
    boxes = np.array([piece.box for piece in row], np.int32)
    height = usual_height(boxes, np.array([piece.ink for piece in row], np.int32))
    return [Run(first, last, box, height) for first, last, box in _runs(row, height)]


def groups_of(row: list[Piece], runs: list[Run], close_up: CloseUp) -> list[Group]:
    """The `runs` of `row` as a recognizer takes them, which is a millisecond's work for each."""
    groups: list[Group] = []
    for first, last, box, height in runs:
        members = row[first:last]
        image = _image(members, box, close_up)
        if image is not None:
            traits = np.array(_form(members, box, height) + _room(row, first, last, box, height), np.float32)
            groups.append(Group(first, last, image, box, traits))
    return groups


def _runs(row: list[Piece], height: float) -> Iterator[tuple[int, int, Box]]:
    for first in range(len(row)):
        for last in range(first + 1, min(first + MOST_TOGETHER, len(row)) + 1):
            box = around([piece.box for piece in row[first:last]])
            if last > first + 1 and box[2] - box[0] > WIDEST * height:
                break
            if last > first + 1 and _apart(row[first:last], height):
                continue
            sides = box[2] - box[0], box[3] - box[1]
            if min(sides) >= NARROWEST * max(sides):
                yield first, last, box


def _apart(members: list[Piece], height: float) -> bool:
    """Whether two of the wholes are too far beside each other to be one digit."""
    boxes = list(_boxes_of_wholes(members).values())
    for one, other in combinations(boxes, 2):
        gap = max(one[0] - other[2], other[0] - one[2])
        tall = min(one[3] - one[1], other[3] - other[1]) >= OWN_HEIGHT * height
        if (tall and gap > OWN_GAP * height) or (len(boxes) == 2 and gap > PART_GAP * height):
            return True
    return False


def _boxes_of_wholes(members: list[Piece]) -> dict[int, Box]:
    """The box around the pieces of each whole."""
    boxes: dict[int, list[Box]] = {}
    for piece in members:
        boxes.setdefault(piece.whole, []).append(piece.box)
    return {whole: around(each) for whole, each in boxes.items()}


def around(boxes: list[Box]) -> Box:
    """The box around all `boxes`."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _image(members: list[Piece], box: Box, close_up: CloseUp) -> Grey | None:
    left, top = max(0, box[0] - RIM), max(0, box[1] - RIM)
    part = slice(top, box[3] + RIM), slice(left, box[2] + RIM)
    mask = np.isin(close_up.labels[part], [piece.number for piece in members]).astype(np.uint8) * np.uint8(255)
    digit = Digit(mask, (box[0] - left, box[1] - top, box[2] - left, box[3] - top), False, False)
    return as_mnist(close_up.ink._replace(strength=close_up.ink.strength[part]), digit)


def _form(members: list[Piece], box: Box, height: float) -> tuple[float, ...]:
    """Its height, width and ink, what was cut on its sides and could have been inside, and how its wholes lie.

    Of the wholes but the tallest: how tall, how far beside the tallest, and how little above or below it.
    All in heights of a digit, or its square.
    """
    numbers = {piece.number for piece in members}
    first = [piece for piece in members if piece.before and piece.number - 1 not in numbers]
    last = [piece for piece in members if piece.after and piece.number + 1 not in numbers]
    inside = [piece.before for piece in members if piece.before and piece.number - 1 in numbers]
    main, *others = sorted(_boxes_of_wholes(members).values(), key=lambda each: each[1] - each[3])
    return (
        (box[3] - box[1]) / height,
        (box[2] - box[0]) / height,
        (sum(piece.before for piece in first) + sum(piece.after for piece in last)) / height,
        min(inside, default=0) / height,
        max((max(each[0] - main[2], main[0] - each[2], 0) for each in others), default=0) / height,
        sum(piece.ink for piece in members) / height**2,
        len(inside),
        len(others),
        max((each[3] - each[1] for each in others), default=0) / height,
        max((1 - _overlap(main, each) / (each[2] - each[0]) for each in others), default=0),
        max((piece.width for piece in first + last), default=0) / height,
    )


def _overlap(one: Box, other: Box) -> int:
    return max(0, min(one[2], other[2]) - max(one[0], other[0]))


def _room(row: list[Piece], first: int, last: int, box: Box, height: float) -> tuple[float, float]:
    """How far off the neighbours are on the left and on the right, in heights of a digit; below 0 if beside."""
    before = [piece.box[2] for piece in row[max(0, first - 2) : first]]
    after = [piece.box[0] for piece in row[last : last + 2]]
    left = (box[0] - max(before)) / height if before else FAR
    right = (min(after) - box[2]) / height if after else FAR
    return min(left, FAR), min(right, FAR)
