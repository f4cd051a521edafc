"""`python -m benchmarks.real_digits FOLDER`: how many real pictures are read right, by origin, and which are not."""

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import ServiceError
from app.images.normalize import Grey, normalize
from app.images.prepare import prepare
from app.model import saved_model
from app.model.model import Model
from app.model.runtime import ONE_THREAD, prepare_environment
from app.model.versions import ModelError
from app.settings import Settings
from benchmarks.errors import BenchmarkError
from benchmarks.measure import say
from benchmarks.mistakes import Mistake, sheet
from benchmarks.report import table
from benchmarks.servers import MODEL

COLUMNS = ("file", "label")  # without these there is nothing to do; `repository` and `kind` sort the table


class RealPicture(NamedTuple):
    """A row of labels.csv. `origin`: the repository and the kind, each "" where the file doesn't say."""

    path: Path
    label: int
    origin: tuple[str, str]


class Reading(NamedTuple):
    """What became of one picture. `seen`: uint8 (28, 28), or None where it couldn't be prepared: `problem` says why."""

    picture: RealPicture
    seen: Grey | None
    digit: int | None
    confidence: float
    problem: str = ""

    @property
    def is_right(self) -> bool:
        return self.digit == self.picture.label


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_digits",
        description="Reads a folder of labelled pictures as the service would, and says how many of each origin it "
        "gets right.",
        epilog="FOLDER holds images/ and labels.csv, whose columns `file` (in images/) and `label` (0 to 9) must be "
        "there; `repository` and `kind` make the rows of the table. Others are passed over.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the labelled pictures")
    parser.add_argument(
        "--model", type=Path, default=MODEL, metavar="DIR", help="a version of a model (default: %(default)s)"
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="draw each mistake: picture, 28x28, label, answer, confidence"
    )
    return parser.parse_args(arguments)


def labelled(folder: Path) -> list[RealPicture]:
    """The rows of `folder`/labels.csv, in order. Raises: BenchmarkError."""
    try:
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise BenchmarkError(f"Expected labels.csv in {folder}: {error.strerror}.") from error
    if not rows or any(column not in rows[0] for column in COLUMNS):
        raise BenchmarkError(f"Expected {folder}/labels.csv to have rows, with the columns {' and '.join(COLUMNS)}.")
    try:
        return [
            RealPicture(
                folder / "images" / row["file"], int(row["label"]), (row.get("repository") or "", row.get("kind") or "")
            )
            for row in rows
        ]
    except ValueError as error:
        raise BenchmarkError(f"Expected a digit in each `label` of {folder}/labels.csv: {error}.") from error


def read_all(pictures: Sequence[RealPicture], model: Model) -> list[Reading]:
    """Each picture prepared as the service does, and answered by `model`.

    Raises: BenchmarkError, when a file is missing.
    """
    prepared = [_prepared(each.path, model) for each in pictures]
    images = [each for each in prepared if not isinstance(each, ServiceError)]
    rows = iter(model(normalize(np.stack(images))) if images else ())
    return [
        Reading(picture, None, None, 0.0, each.title)
        if isinstance(each, ServiceError)
        else _reading(picture, each, next(rows))
        for picture, each in zip(pictures, prepared, strict=True)
    ]


def _prepared(path: Path, model: Model) -> Grey | ServiceError:
    try:
        return prepare(path.read_bytes(), Settings().max_pixels, model.metadata.fits_digits)[0]
    except ServiceError as error:
        return error
    except OSError as error:
        raise BenchmarkError(f"{path} can't be read: {error.strerror}.") from error


def _reading(picture: RealPicture, seen: Grey, probabilities: NDArray[np.float32]) -> Reading:
    digit = int(probabilities.argmax())
    return Reading(picture, seen, digit, float(probabilities[digit]))


def origins_table(readings: Iterable[Reading]) -> str:
    """A row for each origin, those with the most pictures first, and one for all."""
    groups: dict[tuple[str, str], list[Reading]] = {}
    for each in readings:
        groups.setdefault(each.picture.origin, []).append(each)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    rows: list[list[object]] = [["origin", "kind", "right", "of", "share", "mean confidence"]]
    rows += [[*origin, *_score(group)] for origin, group in ordered]
    rows.append(["**all**", "", *_score([each for group in groups.values() for each in group])])
    return table(rows)


def _score(readings: Sequence[Reading]) -> list[str]:
    right = sum(each.is_right for each in readings)
    confidence = float(np.mean([each.confidence for each in readings]))
    return [f"{right:,}", f"{len(readings):,}", f"{right / len(readings):.1%}", f"{confidence:.3f}"]


def _mistake(reading: Reading) -> Mistake:
    said = reading.problem or f"read as {reading.digit}, {reading.confidence:.2f}"
    return Mistake(reading.picture.path, reading.seen, f"{reading.picture.label}: {said}")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    options = parse(arguments)
    os.environ |= ONE_THREAD
    prepare_environment()
    try:
        pictures = labelled(options.folder)
        readings = read_all(pictures, saved_model.load(options.model.absolute()))
        say(origins_table(readings))
        mistakes = [_mistake(each) for each in readings if not each.is_right]
        if options.sheet and mistakes:
            sheet(mistakes).save(options.sheet, "PNG")
            say(f"written: {options.sheet}, {len(mistakes)} mistakes")
    except (BenchmarkError, ModelError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
