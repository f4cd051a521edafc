"""What is written down of a file, and how: a line of CSV or of JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from app.client import Prediction, Problem

Row = dict[str, Any]
COLUMNS = ("path", "digit", "label", "confidence", "model", "version", "warnings", "error")


def row(name: str, answer: Prediction | Problem | str) -> Row:
    """Of the file `name`; `answer` is a text where the file itself couldn't be read."""
    if isinstance(answer, Prediction):
        return {
            "path": name,
            "digit": answer.digit,
            "label": answer.label,
            "confidence": answer.confidence,
            "probabilities": answer.probabilities,
            "model": answer.model.name,
            "version": answer.model.version,
            "warnings": answer.picture.warnings,
            "error": None,
        }
    unknown = dict.fromkeys(("digit", "label", "confidence", "probabilities", "model", "version"))
    error = answer.detail if isinstance(answer, Problem) else answer
    return {"path": name, **unknown, "warnings": (), "error": error}


class Lines(NamedTuple):
    """A format of one row after the other.

    `name_in` gives the name of the file in a whole row, and raises ValueError where it is none. With `quotes`, what
    stands between two of them may have line breaks.
    """

    header: bytes
    encode: Callable[[Row], bytes]
    name_in: Callable[[bytes], str]
    quotes: bool


def _csv(values: Sequence[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)  # otherwise a lone \r in a name has no quotes
    return text.getvalue().removesuffix("\r\n").encode() + b"\n"


def _to_csv(row: Row) -> bytes:
    return _csv([" ".join(row[name]) if name == "warnings" else row[name] for name in COLUMNS])


def _name_in_csv(line: bytes) -> str:
    values = next(csv.reader(io.StringIO(line.decode(), newline="")))
    if len(values) != len(COLUMNS):
        raise ValueError(f"{len(values)} columns")
    return values[0]


def _to_json(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _name_in_json(line: bytes) -> str:
    document = json.loads(line)
    if not (isinstance(document, dict) and document.keys() >= set(COLUMNS)):
        raise ValueError("other fields")
    return str(document["path"])


CSV = Lines(_csv(COLUMNS), _to_csv, _name_in_csv, quotes=True)
JSON_LINES = Lines(b"", _to_json, _name_in_json, quotes=False)
