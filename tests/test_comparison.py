"""Two models on the same pictures."""

import numpy as np
import pytest

from training.comparison import Comparison, compare, in_points


def test_only_pictures_that_one_alone_reads_right_count() -> None:
    first, second = np.array([1, 1, 1, 0, 0], bool), np.array([1, 0, 0, 1, 0], bool)
    assert compare(first, second) == Comparison(5, only_first=2, only_second=1)
    assert compare(first, second).difference == pytest.approx(-0.2)


@pytest.mark.parametrize(("one", "other", "p"), [(0, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 1024), (9, 1, 22 / 1024)])
def test_p_is_that_of_a_fair_coin(one: int, other: int, p: float) -> None:
    assert Comparison(1000, one, other).p == pytest.approx(p)
    assert Comparison(1000, other, one).p == pytest.approx(p)


def test_the_interval_is_the_textbooks_where_many_differ() -> None:
    low, high = Comparison(10_000, only_first=66, only_second=120).interval
    assert (low, high) == pytest.approx((0.0054 - 1.96 * 0.00136, 0.0054 + 1.96 * 0.00136), abs=3e-5)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):  # cells of 1000 pictures: only the first right 1.2%, only the second 0.6%
        first, second, _ = random.multinomial(1000, (0.012, 0.006, 0.982))
        low, high = Comparison(1000, int(first), int(second)).interval
        hits += low <= -0.006 <= high
    assert 0.94 < hits / 2000 < 0.98


@pytest.mark.parametrize(
    ("only_first", "only_second", "worse"),
    [(0, 0, False), (4, 0, False), (12, 2, True), (2, 12, False), (60, 55, False)],
)
def test_worse_is_what_is_worse_by_more_than_its_uncertainty(only_first: int, only_second: int, worse: bool) -> None:
    assert Comparison(1000, only_first, only_second).second_is_worse == worse


def test_people_read_points() -> None:
    assert in_points(Comparison(10_000, 66, 120)) == "+0.54 points (95% interval +0.27 to +0.81)"
