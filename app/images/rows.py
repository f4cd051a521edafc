"""Pieces of ink → lines of text: which pieces stand in a row, from top to bottom and from left to right."""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.int32]  # (N, 4): left, top, right, bottom

TALL = 0.4  # of the usual height: a lower piece is a bar, a dash or a dot, and begins no line
LOWEST_LINE = 0.6  # of the usual height: a line with one or two pieces is none if both are lower
SAME_ROW = 0.5  # of the lower one's height: so much of two neighbours in a line stands side by side
TAIL = 3  # pieces at a line's end whose mean place says where it goes on: lines may climb, and digits jump
BESIDE_ROW = 0.3  # of the usual height: a low piece belongs to a line that it is no further above or below of


def usual_height(boxes: Boxes, ink: NDArray[np.int32]) -> float:
    """The height of a digit: the median of the pieces' heights, each counted by its `ink`; specks hardly count."""
    heights = boxes[:, 3] - boxes[:, 1]
    order = np.argsort(heights)
    passed = np.cumsum(ink[order])
    return float(heights[order][np.searchsorted(passed, passed[-1] / 2)])


def text_lines(boxes: Boxes, height: float) -> list[list[int]]:
    """The rows of `boxes`, from top to bottom, each its pieces' numbers from left to right.

    `height`: of a usual digit. A low piece beside no line is in none.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    lines = [
        line
        for line in _begun(boxes, np.flatnonzero(heights >= TALL * height))
        if len(line) > 2 or heights[line].max() >= LOWEST_LINE * height
    ]
    members = [list(line) for line in lines]
    middles = boxes[:, :2] + boxes[:, 2:]
    along = [sorted((int(middles[each, 0]), *boxes[each, 1::2].tolist()) for each in line) for line in lines]
    for each in sorted(set(range(len(boxes))) - {each for line in lines for each in line}):
        nearest = _nearest(along, int(middles[each, 0]), int(middles[each, 1]), BESIDE_ROW * height)
        if nearest is not None:
            members[nearest].append(each)
    order = sorted(range(len(lines)), key=lambda row: float(boxes[lines[row]][:, 1::2].mean()))
    return [sorted(members[row], key=lambda each: int(middles[each, 0])) for row in order]


def _begun(boxes: Boxes, tall: NDArray[np.int64]) -> list[list[int]]:
    """The lines that the pieces `tall` make, from left to right. On plain numbers: noise asks 500,000 times."""
    lines: list[list[int]] = []
    tails: list[tuple[float, float]] = []
    edges = boxes[:, 1::2].tolist()
    for each in sorted(tall.tolist(), key=lambda each: int(boxes[each, 0])):
        number = _continued(tails, *edges[each])
        if number is None:
            lines.append([each])
            tails.append(tuple(edges[each]))
        else:
            lines[number].append(each)
            tail = [edges[other] for other in lines[number][-TAIL:]]
            tails[number] = sum(top for top, _ in tail) / len(tail), sum(bottom for _, bottom in tail) / len(tail)
    return lines


def _continued(tails: list[tuple[float, float]], top: int, bottom: int) -> int | None:
    """The line that a piece goes on best, or None. `tails`: tops and bottoms of the lines' ends."""
    best, best_share = None, SAME_ROW
    for number, (tail_top, tail_bottom) in enumerate(tails):
        beside = min(bottom, tail_bottom) - max(top, tail_top)
        if beside > 0 and (share := beside / min(bottom - top, tail_bottom - tail_top)) > best_share:
            best, best_share = number, share
    return best


def _nearest(along: list[list[tuple[int, int, int]]], across: int, down: int, reach: float) -> int | None:
    """The line whose piece next to a middle is at most `reach` above or below it, or None.

    `along`: of each line, its pieces' middles, tops and bottoms, from left to right. `across`, `down`: twice where the
    middle is, as the middles in `along` are.
    """
    best, best_distance = None, reach
    for number, line in enumerate(along):
        right = bisect_left(line, (across,))
        beside = min(line[max(0, right - 1) : right + 1], key=lambda piece: abs(piece[0] - across))
        distance = max(beside[1] - down / 2, down / 2 - beside[2])
        if distance < best_distance:
            best, best_distance = number, distance
    return best
