"""A trained network → the next version in the model folder, whole or not at all."""

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from app.images.normalize import PIXELS
from app.model import saved_model
from app.model.metadata import FILE
from app.model.tensors import TOLERANCE, Run, difference
from app.model.versions import ModelError, first_line
from training.convert import write_converted
from training.durable import flush, settle
from training.errors import TrainingError
from training.export import export
from training.files import Bytes
from training.network import Weights
from training.warm_up import write_warm_up

INCOMING = ".incoming-"  # no version is named so, neither for this service nor for TensorFlow Serving
LEFTOVER_SECONDS = 24 * 3600  # what a killed run left behind is removed after a day: another may still be at work
CHECKED_BATCHES = (1, 7)


class Expected(NamedTuple):
    """What a version is held to before it is published.

    `answer`: what was trained, float32 (N, 784) → float32 (N, 10), or (N, 11) with the novelty. `images`: the test
    pictures, uint8 (N, 28, 28), to which every engine must answer the same.
    """

    answer: Run
    images: Bytes


def check_folder(models: Path) -> None:
    """Makes sure that a version can be written to `models` before hours go into it.

    Raises: TrainingError.
    """
    with _incoming(models):
        pass


def nothing_more(folder: Path) -> None:
    """For versions without further files."""


def publish(
    weights: Weights,
    expected: Expected,
    metadata: dict[str, Any],
    models: Path,
    novelty: Weights | None = None,
    extras: Callable[[Path], None] = nothing_more,
) -> Path:
    """Writes the next version and returns its folder, `models/<number>`. `novelty` is what judges whether there is a
    digit; `extras` writes more files into the folder that it gets, which has model and metadata by then.

    It is written beside the versions, loaded back as the service will load it, compared with what is `expected`,
    converted for the other engine and compared again, and then renamed into place in one step. Killed at any moment,
    it leaves nothing that could be taken for a version.

    Raises: TrainingError, when it can't be written or answers differently.
    """
    with _incoming(models) as incoming:
        staged = incoming / "0"  # loading wants a folder named as a version
        export(weights, staged, novelty)
        (staged / FILE).write_text(json.dumps(metadata, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        write_warm_up(staged, models.name)
        extras(staged)
        exported = saved_model.load(staged)
        _compare(exported.judge, expected.answer)
        write_converted(staged, exported, expected.images)
        settle(staged)
        return _put_in_place(staged, models)


def _compare(exported: Run, answer: Run) -> None:
    pixels = np.random.default_rng(0).random((sum(CHECKED_BATCHES), PIXELS), np.float32)
    for size in CHECKED_BATCHES:
        rows = pixels[-size:]
        apart = difference(exported(rows), answer(rows))
        if not apart <= TOLERANCE:
            raise TrainingError(
                f"Expected the exported model to answer as the trained one within {TOLERANCE}; "
                f"it differs by {apart} at {size} pictures. Nothing is published."
            )


@contextlib.contextmanager
def _incoming(models: Path) -> Iterator[Path]:
    """A folder for a version that is being written, on the same file system as `models`; gone afterwards."""
    try:
        models.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(models)
        folder = Path(tempfile.mkdtemp(prefix=INCOMING, dir=models))
    except OSError as error:
        raise TrainingError(f"Expected a folder that can be written to at {models}: {error}.") from error
    try:
        yield folder
    except (OSError, tf.errors.OpError, ModelError) as error:
        raise TrainingError(f"Can't write a version to {models}: {first_line(error)}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(models: Path) -> None:
    for folder in models.glob(INCOMING + "*"):
        with contextlib.suppress(FileNotFoundError):  # another run has just put its own away
            if time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(staged: Path, models: Path) -> Path:
    """Renames `staged` to the next free number. Two that publish at once get two numbers."""
    while True:
        taken = [int(entry.name) for entry in models.iterdir() if entry.name.isdecimal()]
        target = models / str(max(taken, default=0) + 1)
        try:
            staged.rename(target)
        except OSError:
            if not target.exists():
                raise
            continue  # another took that number meanwhile
        flush(models)
        return target
