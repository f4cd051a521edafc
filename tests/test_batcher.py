import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from app.images.normalize import normalize
from app.model.batcher import ENOUGH, Batcher, Rows


class Recorder:
    """Stands for the model: doubles its rows, and notes how many came at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, rows: Rows) -> Rows:
        self.sizes.append(len(rows))
        return rows * 2


def rows(*values: float) -> Rows:
    return np.array(values, np.float32).reshape(-1, 1)


def gather(*tasks: Coroutine[Any, Any, Rows]) -> list[Any]:
    async def run() -> list[Any]:
        async with asyncio.timeout(20):  # a batcher that forgets someone would otherwise hang the tests
            answers: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        return answers

    return asyncio.run(run())


def test_a_lone_request_is_answered_alone() -> None:
    model = Recorder()
    [answer] = gather(Batcher(model, 8)(rows(3)))
    assert answer.tolist() == [[6]]
    assert model.sizes == [1]


def test_requests_of_one_turn_share_a_call_and_each_gets_its_own_answer() -> None:
    model = Recorder()
    batcher = Batcher(model, 64)
    answers = gather(*(batcher(rows(*range(n, 2 * n))) for n in range(1, 9)))
    assert [answer.ravel().tolist() for answer in answers] == [[2 * k for k in range(n, 2 * n)] for n in range(1, 9)]
    assert model.sizes == [36]


def test_a_call_has_at_most_max_batch_rows_and_keeps_the_order() -> None:
    model = Recorder()
    batcher = Batcher(model, 4)
    answers = gather(*(batcher(rows(k, k)) for k in range(5)))
    assert [answer[0, 0] for answer in answers] == [0, 2, 4, 6, 8]
    assert model.sizes == [4, 4, 2]


def test_what_comes_in_the_following_turns_joins_the_same_call() -> None:
    model = Recorder()
    batcher = Batcher(model, 64)

    async def run() -> list[Any]:
        tasks = []
        for turn in range(6):  # one more at each turn of the loop
            tasks.append(asyncio.create_task(batcher(rows(turn))))
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks)

    assert [answer[0, 0] for answer in asyncio.run(run())] == [0, 2, 4, 6, 8, 10]
    assert model.sizes == [6]


def test_one_burst_after_another_is_gathered_alike() -> None:
    model = Recorder()
    batcher = Batcher(model, 64)

    async def run() -> None:
        for _ in range(3):
            tasks = []
            for _ in range(4):
                tasks.append(asyncio.create_task(batcher(rows(1))))
                await asyncio.sleep(0)
            await asyncio.gather(*tasks)

    asyncio.run(run())
    assert model.sizes == [4, 4, 4]


def test_however_many_keep_coming_nobody_waits_for_more_than_enough() -> None:
    model = Recorder()
    batcher = Batcher(model, 4 * ENOUGH)

    async def run() -> None:
        tasks = []
        for _ in range(2 * ENOUGH):
            tasks.append(asyncio.create_task(batcher(rows(1))))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert max(model.sizes) <= ENOUGH + 1
    assert sum(model.sizes) == 2 * ENOUGH


def test_a_client_that_goes_away_takes_nobodys_answer() -> None:
    model = Recorder()
    batcher = Batcher(model, 8)

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(batcher(rows(k))) for k in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert (first[0, 0], third[0, 0]) == (0, 4)
    assert isinstance(second, asyncio.CancelledError)


def test_a_failing_model_fails_those_who_asked_and_nobody_after() -> None:
    class Flaky(Recorder):
        def __call__(self, given: Rows) -> Rows:
            if not self.sizes:
                self.sizes.append(0)
                raise ValueError("once")
            return super().__call__(given)

    batcher = Batcher(Flaky(), 8)
    assert [type(each) for each in gather(batcher(rows(1)), batcher(rows(2)))] == [ValueError, ValueError]
    assert gather(batcher(rows(3)))[0].tolist() == [[6]]


@pytest.mark.parametrize("size", [1, 7])
def test_batches_do_not_change_answers(size: int, shipped: Any, mnist: Any) -> None:
    pixels = normalize(mnist.x_test[:42])
    batcher = Batcher(shipped, 1024)
    answers = gather(*(batcher(pixels[start : start + size]) for start in range(0, 42, size)))
    assert np.abs(np.concatenate(answers) - shipped(pixels)).max() <= 1e-5
