"""Which groups of ink in a line are its digits: the way through the line that explains all of its ink best."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.images.groups import Group, Piece
from app.images.opencv import cv2

Floats = NDArray[np.float32]

JUDGE = Path(__file__).with_name("judge.npz")  # made by training.judge
JUDGE_SIDE = 14  # pixels: half of MNIST's, enough to tell a digit from a bracket
LEAST_TRAIT, MOST_TRAIT = -1.0, 3.0  # in heights of a digit; beyond, it makes no difference
STRAY = 0.8  # what it costs to leave out ink that was not cut: as much as a digit of even odds, and a little more


STRAY_SLICE = 6.0  # the same, of a slice that was cut off: hardly ever
DOUBT = 0.5  # how much the network's own doubt counts; from 0 to 1 it makes little difference, above it does harm


class _Judge(NamedTuple):
    """Two dense layers: `hidden_weights` float32 (inputs, 32), `weights` float32 (32,), and what is added."""

    hidden_weights: Floats
    hidden_bias: Floats
    weights: Floats
    bias: Floats


@cache
def _judge() -> _Judge:
    with np.load(JUDGE) as arrays:
        return _Judge(*(arrays[name].astype(np.float32) for name in _Judge._fields))


def choose(pieces: list[Piece], groups: list[Group], probabilities: Floats, alone: bool = False) -> list[int]:
    """The numbers of those `groups` that are digits, from left to right.

    `probabilities`: float32 (N, 10), what the network says of each group. No piece is in two digits; what is in none
    is left out as a dot, a dash or dirt. Found by dynamic programming over the pieces, as the best path through a
    graph whose edges are the groups. In a line that is `alone` in its picture something is a digit.
    """
    if not groups:
        return []
    doubts = -np.log(probabilities.max(axis=1)).astype(np.float32)
    costs = _costs(groups, doubts)
    return _path(groups, _cheapest(pieces, groups, costs)[1]) or ([int(costs.argmin())] if alone else [])


def seem(lines: list[tuple[list[Piece], list[Group]]]) -> tuple[list[Group], float]:
    """What in `lines` seems to be digits, before the network has seen any, and how doubtful that is, from 0.

    The doubt is what the best way through costs, a piece: all of the ink is to look like digits.
    """
    digits: list[Group] = []
    cost = 0.0
    for pieces, groups in lines:
        least, arrived_by = _cheapest(pieces, groups, _costs(groups, np.zeros(len(groups), np.float32)))
        cost += least
        digits += [groups[each] for each in _path(groups, arrived_by)]
    return digits, cost / sum(len(pieces) for pieces, _ in lines)


def _cheapest(pieces: list[Piece], groups: list[Group], costs: Floats) -> tuple[float, list[int | None]]:
    """What the cheapest way through the line costs, and for each place in it, the group that leads there, if any."""
    least = np.zeros(len(pieces) + 1)
    arrived_by: list[int | None] = [None] * (len(pieces) + 1)
    ending: list[list[int]] = [[] for _ in range(len(pieces) + 1)]
    for each, group in enumerate(groups):
        ending[group.last].append(each)
    for end, piece in enumerate(pieces, 1):
        least[end] = least[end - 1] + (STRAY_SLICE if piece.before or piece.after else STRAY)
        for each in ending[end]:
            cost = least[groups[each].first] + costs[each]
            if cost < least[end]:
                least[end], arrived_by[end] = cost, each
    return float(least[-1]), arrived_by


def _path(groups: list[Group], arrived_by: list[int | None]) -> list[int]:
    chosen: list[int] = []
    end = len(arrived_by) - 1
    while end:
        by = arrived_by[end]
        if by is None:
            end -= 1
        else:
            chosen.append(by)
            end = groups[by].first
    return chosen[::-1]


def _costs(groups: list[Group], doubts: Floats) -> Floats:
    """What each group costs: by how little it seems to be one digit, for each of its pieces.

    For each piece, so that one digit of three pieces is weighed against three digits of one piece fairly.
    """
    if not groups:
        return np.zeros(0, np.float32)
    odds = _log_odds(judge_inputs(groups))
    sizes = np.array([group.last - group.first for group in groups], np.float32)
    costs: Floats = sizes * (np.logaddexp(0, -odds) + DOUBT * doubts)
    return costs


def _log_odds(inputs: Floats) -> Floats:
    judge = _judge()
    hidden = np.maximum(inputs @ judge.hidden_weights + judge.hidden_bias, 0)
    odds: Floats = hidden @ judge.weights + judge.bias
    return odds


def judge_inputs(groups: list[Group]) -> Floats:
    """What the judge looks at, float32 (N, 209): the traits, and the picture in 14x14."""
    traits = np.clip(np.stack([group.traits for group in groups]), LEAST_TRAIT, MOST_TRAIT)
    side = (JUDGE_SIDE, JUDGE_SIDE)
    images = np.stack([cv2.resize(group.image, side, interpolation=cv2.INTER_AREA).reshape(-1) for group in groups])
    return np.concatenate([traits, images / np.float32(255)], axis=1).astype(np.float32)
