"""Files in, rows out: in order, with several groups under way, until all are read or somebody says stop."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from app.bulk.files import File, load, size_of
from app.bulk.rows import Row, row
from app.client import Prediction, Problem
from app.client.groups import in_groups


class Source(Protocol):
    """Whoever answers: a client of the service, or this process."""

    async def predict_batch(self, contents: Sequence[bytes]) -> list[Prediction | Problem]:
        """One answer or problem each, in order."""


class Run:
    """Asks `source` about files. To be used in one event loop, once."""

    def __init__(self, source: Source, under_way: int) -> None:
        """`under_way`: the most groups that are read or asked about at a time; that many are in memory."""
        self._source = source
        self._room = asyncio.Semaphore(under_way)
        self._asked: asyncio.Queue[asyncio.Task[list[Row]] | None] = asyncio.Queue()
        self.stopped = False
        # of its own, for a list on standard input may never go on: nobody waits for this thread in the end
        self._disk = ThreadPoolExecutor(1, "disk")

    async def read(self, paths: Iterable[str], write: Callable[[list[Row]], None]) -> None:
        """Has the rows of all `paths` written, a group at a time, in order.

        Raises: what `write` does, and ClientError, when the service can't be reached or wants none of this.
        """
        feeding = asyncio.create_task(self._feed(map(_load_all, in_groups(paths, size_of))))
        try:
            while task := await self._asked.get():
                write(await task)
                self._room.release()
            if not self.stopped:
                await feeding
        finally:
            feeding.cancel()
            while not self._asked.empty():
                if task := self._asked.get_nowait():
                    task.cancel()

    def stop(self) -> None:
        """No file is read any more; what has been asked is answered and written."""
        self.stopped = True
        self._asked.put_nowait(None)

    async def _feed(self, groups: Iterator[list[File]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._room.acquire()
                group = await loop.run_in_executor(self._disk, next, groups, None)
                if group is None or self.stopped:
                    return
                self._asked.put_nowait(asyncio.create_task(self._ask(group)))
        finally:
            self._asked.put_nowait(None)

    async def _ask(self, group: list[File]) -> list[Row]:
        contents = [file.content for file in group if not file.trouble]
        answers = iter(await self._source.predict_batch(contents) if contents else ())
        return [row(file.name, file.trouble or next(answers)) for file in group]


def _load_all(paths: list[str]) -> list[File]:
    return [load(path) for path in paths]
