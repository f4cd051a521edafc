"""`python -m benchmarks.novelty FOLDER`: how well pictures that aren't digits are told from MNIST's test digits."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import BlankPicture
from app.images.fit import fit
from app.images.normalize import Grey
from app.model import saved_model
from app.model.model import Model
from app.model.runtime import ONE_THREAD, prepare_environment
from app.model.versions import ModelError
from benchmarks.errors import BenchmarkError
from benchmarks.measure import say
from benchmarks.report import table
from benchmarks.servers import MODEL
from training import dataset
from training.errors import TrainingError
from training.versions import novelty

Scores = NDArray[np.float32]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.novelty",
        description="Scores the test pictures of a dataset that has no digits, and MNIST's, as the service would.",
        epilog="FOLDER holds IDX files, as Debian's dataset-fashion-mnist does in /usr/share/datasets/fashion-mnist.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the dataset without digits, or its .npz")
    parser.add_argument(
        "--model", type=Path, default=MODEL, metavar="DIR", help="a version of a model (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def report(model: Model, strange: Grey) -> str:
    """A table: of MNIST's test digits and of `strange`, uint8 (N, 28, 28), as they are and fitted, how many are warned
    of, and the area under the ROC curve against the digits.

    Raises: BenchmarkError, when `model` judges nothing.
    """
    threshold = model.metadata.not_a_digit
    if threshold is None:
        raise BenchmarkError(f"Expected a threshold in metadata.json of version {model.version}; it judges nothing.")
    digits = novelty(model, dataset.load().x_test)
    rows: list[list[object]] = [["pictures", "number", "said not to look like a digit", "AUROC against the digits"]]
    rows.append(["MNIST's test digits", f"{len(digits):,}", f"{(digits > threshold).mean():.2%}", ""])
    for name, images in (("not digits, as they are", strange), ("not digits, fitted", fitted(strange))):
        scores = novelty(model, images)
        area = auroc(digits, scores)
        rows.append([name, f"{len(images):,}", f"{(scores > threshold).mean():.2%}", f"{area:.4f}"])
    return table(rows)


def fitted(images: Grey) -> Grey:
    """`images` as the service prepares what doesn't look like MNIST's. Those in which it finds nothing are left out."""
    kept = []
    for image in images:
        try:
            kept.append(fit(image).image)
        except BlankPicture:
            continue
    return np.stack(kept)


def auroc(low: Scores, high: Scores) -> float:
    """How likely one of `high` lies above one of `low`; a tie counts half."""
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(below.mean() / (2 * len(low)))


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    options = parse(arguments)
    os.environ |= ONE_THREAD
    prepare_environment()
    try:
        say(report(saved_model.load(options.model.absolute()), dataset.load(options.folder).x_test))
    except (BenchmarkError, ModelError, TrainingError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
