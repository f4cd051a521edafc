"""Which groups of ink in a line are its digits: the way through the line that explains all of its ink best."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.images.groups import Group, Piece

Floats = NDArray[np.float32]

JUDGE = Path(__file__).with_name("judge.npz")  # made by training.judge
JUDGE_SIDE = 14  # pixels: half of MNIST's, enough to tell a digit from a bracket
LEAST_TRAIT, MOST_TRAIT = -1.0, 3.0  # in heights of a digit; beyond, it makes no difference
STRAY = 0.8  # what it costs to leave out ink that was not cut: as much as a digit of even odds, and a little more


DOUBT = 0.5


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


def choose(pieces: list[Piece], groups: list[Group], probabilities: Floats) -> list[int]:
    """The numbers of those `groups` that are digits, from left to right.

    `probabilities`: float32 (N, 10), what the network says of each group. No piece is in two digits; what is in none
    is left out as a dot, a dash or dirt. Found by dynamic programming over the pieces, as the best path through a
    graph whose edges are the groups.
    """
    if not groups:
        return []
    costs = _costs(groups, probabilities)
    least = np.full(len(pieces) + 1, np.inf)
    least[0] = 0
    arrived_by: list[int | None] = [None] * (len(pieces) + 1)
    ending: list[list[int]] = [[] for _ in range(len(pieces) + 1)]
    for each, group in enumerate(groups):
        ending[group.last].append(each)
    for end, piece in enumerate(pieces, 1):
        is_slice = piece.before or piece.after
        least[end] = least[end - 1] + (np.inf if is_slice else STRAY)
        for each in ending[end]:
            cost = least[groups[each].first] + costs[each]
            if cost < least[end]:
                least[end], arrived_by[end] = cost, each
    return _path(groups, arrived_by)


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


def _costs(groups: list[Group], probabilities: Floats) -> Floats:
    """What each group costs: by how little it seems to be one digit, for each of its pieces.

    For each piece, so that one digit of three pieces is weighed against three digits of one piece fairly.
    """
    odds = _log_odds(judge_inputs(groups))
    sizes = np.array([group.last - group.first for group in groups], np.float32)
    doubt = -np.log(probabilities.max(axis=1))
    costs: Floats = sizes * (np.logaddexp(0, -odds) + DOUBT * doubt)
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
