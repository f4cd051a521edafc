"""Pieces of ink → lines of text: which pieces stand in a row, from top to bottom and from left to right."""

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
    tall = boxes[:, 3] - boxes[:, 1] >= TALL * height
    lines: list[list[int]] = []
    corners = boxes.tolist()
    for each in sorted(np.flatnonzero(tall).tolist(), key=lambda each: int(boxes[each, 0])):
        line = _continued(lines, corners, each)
        if line is None:
            lines.append([each])
        else:
            line.append(each)
    heights = boxes[:, 3] - boxes[:, 1]
    lines = [line for line in lines if len(line) > 2 or heights[line].max() >= LOWEST_LINE * height]
    members = [list(line) for line in lines]
    for each in sorted(set(range(len(boxes))) - {each for line in lines for each in line}):
        nearest = _nearest(lines, boxes, each, BESIDE_ROW * height)
        if nearest is not None:
            members[nearest].append(each)
    middles = boxes[:, 0] + boxes[:, 2]
    order = sorted(range(len(lines)), key=lambda row: float(boxes[lines[row]][:, 1::2].mean()))
    return [sorted(members[row], key=lambda each: int(middles[each])) for row in order]


def _continued(lines: list[list[int]], boxes: list[list[int]], each: int) -> list[int] | None:
    """The line that piece `each` goes on best, or None. On plain numbers: noise asks this of 100,000 lines."""
    _, top, _, bottom = boxes[each]
    best, best_share = None, SAME_ROW
    for line in lines:
        tail = line[-TAIL:]
        tail_top = sum(boxes[other][1] for other in tail) / len(tail)
        tail_bottom = sum(boxes[other][3] for other in tail) / len(tail)
        share = (min(bottom, tail_bottom) - max(top, tail_top)) / min(bottom - top, tail_bottom - tail_top)
        if share > best_share:
            best, best_share = line, share
    return best


def _nearest(lines: list[list[int]], boxes: Boxes, each: int, reach: float) -> int | None:
    """The line whose piece next to `each` is at most `reach` above or below its middle, or None."""
    middle_x, middle_y = boxes[each, 0::2].mean(), boxes[each, 1::2].mean()
    best, best_distance = None, reach
    for number, line in enumerate(lines):
        beside = line[int(np.abs(boxes[line][:, 0::2].mean(axis=1) - middle_x).argmin())]
        distance = max(boxes[beside, 1] - middle_y, middle_y - boxes[beside, 3])
        if distance < best_distance:
            best, best_distance = number, distance
    return best
