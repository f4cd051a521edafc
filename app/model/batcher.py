"""Requests that are ready together share one call of the model."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]


@dataclass(slots=True)
class _Waiting:
    rows: Rows
    answer: asyncio.Future[Rows]


class Batcher:
    """Gathers what arrives in one turn of the event loop and runs it at the next: nobody waits for company.

    `run` takes an array (N, ...) and gives one of N rows, in order. `max_batch` bounds N. How many may wait is for
    the caller to bound. To be used from one event loop.
    """

    def __init__(self, run: Callable[[Rows], Rows], max_batch: int) -> None:
        self._run = run
        self._max_batch = max_batch
        self._waiting: deque[_Waiting] = deque()

    async def __call__(self, rows: Rows) -> Rows:
        """`rows`: (N, ...), 1 <= N <= max_batch, alike in every other axis → what `run` answers to them."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._flush)
        waiting = _Waiting(rows, loop.create_future())
        self._waiting.append(waiting)
        return await waiting.answer

    def _flush(self) -> None:
        batch = self._take()
        if self._waiting:  # more than one call's worth: the rest has its turn after what else is ready
            asyncio.get_running_loop().call_soon(self._flush)
        if not batch:
            return
        try:
            answers = self._run(np.concatenate([each.rows for each in batch]))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            for each in batch:
                each.answer.set_exception(error)
            return
        start = 0
        for each in batch:
            each.answer.set_result(answers[start : start + len(each.rows)])
            start += len(each.rows)

    def _take(self) -> list[_Waiting]:
        """The longest line of requests from the front that fits one call, without those whose client has gone."""
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0].rows) <= self._max_batch):
            each = self._waiting.popleft()
            if not each.answer.cancelled():
                batch.append(each)
                size += len(each.rows)
        return batch
