"""Where the rows go, so that none that was written is ever lost, and that the work can be gone on with."""

import csv
import fcntl
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from app.bulk import parquet
from app.bulk.errors import OutputError
from app.bulk.rows import CSV, JSON_LINES, Lines, Row

FORMATS = {"csv": CSV, "jsonl": JSON_LINES, "parquet": JSON_LINES}


class Output:
    """Takes rows, and has handed them to the system when `write` returns: what kills this process loses none of these.

    `names`: of the files that have a row already.
    """

    def __init__(self, file: BinaryIO, lines: Lines, names: set[str], whole: Path | None = None) -> None:
        self.names = names
        self._file, self._lines, self._whole = file, lines, whole

    def write(self, rows: Iterable[Row]) -> None:
        """Adds rows. Raises: OSError."""
        self._file.write(b"".join(map(self._lines.encode, rows)))
        self._file.flush()

    def finish(self) -> None:
        """All rows are there. Raises: OSError."""
        if self._whole:
            self._file.seek(0)
            parquet.write(map(json.loads, self._file), self._whole)
            Path(self._file.name).unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what couldn't be written has been told of already
            self._file.close()


def to_standard_output(kind: str) -> Output:
    """Rows for whoever reads them there."""
    if kind == "parquet":
        raise OutputError("A Parquet file needs a name: --out answers.parquet")
    file, lines = open(sys.stdout.fileno(), "wb", closefd=False), FORMATS[kind]  # noqa: SIM115 - Output closes it
    file.write(lines.header)
    return Output(file, lines, set())


def to_file(path: Path, kind: str, resume: bool) -> Output:
    """Rows for a new file, or, with `resume`, behind those of one that is there already.

    A Parquet file can't be added to: its rows are gathered as JSON lines in a file beside it, with .part at the end,
    and become one when all are there. Raises: OutputError.
    """
    whole = path if kind == "parquet" else None
    if whole:
        parquet.check_installed()
        path = path.with_name(path.name + ".part")
    for each in {path, whole or path}:
        if each.exists() and not resume:
            raise OutputError(f"{each} is there already: --resume goes on with it; or name another.")
    try:
        return _prepared(_opened(path), FORMATS[kind], whole)
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror}.") from error


def _opened(path: Path) -> BinaryIO:
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"{path} is being written by another command.") from error
    return file


def _prepared(file: BinaryIO, lines: Lines, whole: Path | None) -> Output:
    """What follows the last whole row in `file` is cut off."""
    if whole and whole.exists() and not file.tell():
        for row in parquet.read(whole):
            file.write(lines.encode(row))
    names, end = _what_is_there(file, lines)
    file.truncate(end)
    if not end:
        file.write(lines.header)
        file.flush()
    return Output(file, lines, names, whole)


def _what_is_there(file: BinaryIO, lines: Lines) -> tuple[set[str], int]:
    """The names of the files that have a row, and where the last row ends, in bytes. These are all in memory."""
    file.seek(0)
    names: set[str] = set()
    head = file.read(len(lines.header))
    if head != lines.header:
        if lines.header.startswith(head):  # it was killed in its first moment
            return names, 0
        raise OutputError(f"{file.name} begins with no {lines.header.decode().strip()}: it isn't of this command.")
    end = len(head)
    for row in _whole_rows(file, lines.quotes):
        try:
            names.add(lines.name_in(row))
        except (ValueError, csv.Error) as error:
            raise OutputError(f"{file.name} isn't of this command: it has {row[:100]!r}.") from error
        end += len(row)
    return names, end


def _whole_rows(file: BinaryIO, quotes: bool) -> Iterator[bytes]:
    row = b""
    for line in file:
        row += line
        if line.endswith(b"\n") and not (quotes and row.count(b'"') % 2):
            yield row
            row = b""
