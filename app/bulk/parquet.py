"""Parquet files of rows. pyarrow reads and writes them, for those who have installed it."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from app.bulk.errors import OutputError
from app.bulk.rows import Row

ROWS = 65_536  # of a group, in memory at a time


def check_installed() -> None:
    """Raises: OutputError, when pyarrow isn't."""
    if find_spec("pyarrow") is None:
        raise OutputError("Parquet files need pyarrow: .venv/bin/python -m pip install pyarrow")


def write(rows: Iterable[Row], path: Path) -> None:
    """A file of all `rows`, in place of one that may be there, whole or not at all."""
    from pyarrow import Table
    from pyarrow.parquet import ParquetWriter

    new, schema, rest = path.with_name(path.name + ".new"), _schema(), iter(rows)
    with ParquetWriter(new, schema) as writer:
        while group := list(islice(rest, ROWS)):
            writer.write_table(Table.from_pylist(group, schema))
    new.replace(path)


def read(path: Path) -> Iterator[Row]:
    """The rows in a file. Raises: OutputError, when it is none."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            if not file.schema_arrow.equals(_schema()):
                raise OutputError(f"{path} has other columns: it isn't of this command.")
            for batch in file.iter_batches(ROWS):
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        raise OutputError(f"{path} can't be read: {error}") from error


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        {
            "path": pa.string(),
            "digit": pa.int8(),
            "label": pa.string(),
            "confidence": pa.float32(),
            "probabilities": pa.list_(pa.float32()),
            "model": pa.string(),
            "version": pa.int64(),
            "warnings": pa.list_(pa.string()),
            "error": pa.string(),
        }
    )
