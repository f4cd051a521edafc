"""Files in, rows out: in order, with several groups under way, until all are read or somebody says stop."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from app.bulk.files import load, name_of, size_of
from app.bulk.handover import Handover
from app.bulk.rows import Row, row
from app.client import Prediction, Problem
from app.client.groups import in_groups


class Source(Protocol):
    """Whoever answers: a client of the service, or this process. Asked by several threads at a time."""

    def predict_batch(self, contents: Sequence[bytes]) -> list[Prediction | Problem]:
        """One answer or problem each, in order."""


class Run(Handover[Future[list[Row]]]):
    """Asks `source` about files. To be used once.

    Its threads are those of httpx's simpler client: a photograph takes half the CPU time that asyncio takes to send it.
    """

    def __init__(self, source: Source, under_way: int) -> None:
        """`under_way`: the most groups that are read or asked about at a time; that many are in memory."""
        super().__init__(under_way)
        self._source = source
        self._pool = ThreadPoolExecutor(under_way, "asking")

    def read(self, paths: Iterable[str], write: Callable[[list[Row]], None]) -> None:
        """Has the rows of all `paths` written, a group at a time, in order. Once it is stopped, no more files are read;
        what has been asked is answered and written.

        Raises: what `write` does, and ClientError, when the service can't be reached or wants none of this.
        """
        for asked in self.taken(in_groups(paths, size_of)):
            write(asked.result())

    def begun(self, item: Sequence[str]) -> Future[list[Row]]:
        """A group of files, as it is read and asked about."""
        return self._pool.submit(rows_of, self._source, item)


def rows_of(source: Source, paths: Sequence[str], folder: str = "") -> list[Row]:
    """A row for each of `paths`, which are relative to `folder`, or to the one we are in."""
    files = [load(Path(folder, path), name_of(path)) for path in paths]
    contents = [file.content for file in files if not file.trouble]
    answers = iter(source.predict_batch(contents) if contents else ())
    return [row(file.name, file.trouble or next(answers)) for file in files]
