"""The state of a training after its last finished epoch, on the disk: an interrupted one can go on from there."""

import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.model.versions import first_line
from training.errors import TrainingError
from training.files import BROKEN_FILE, read_npz
from training.publish import INCOMING
from training.trained import Epoch

PREFIX, SUFFIX = ".training-", ".npz"  # no version is named so, neither for this service nor for TensorFlow Serving
SECONDS = 20.0  # between two writings: a power cut costs no more, and 5 MB in 20 s is nothing to any disk
EPOCH, HISTORY = "epoch", "history"  # names in the file beside those of the state's arrays
OF_STATE = "state/"


class State(NamedTuple):
    """`epoch`: how many are finished. `arrays`: all that the next one needs. `history`: of the finished ones."""

    epoch: int
    arrays: dict[str, NDArray[Any]]
    history: tuple[Epoch, ...]


class Checkpoint:
    """One file for one training. Written at most every SECONDS, and whenever `write` is called."""

    def __init__(self, path: Path, resumed: State | None = None, left_aside: int = 0) -> None:
        """`resumed`: what the training goes on from, None when it starts from the beginning. `left_aside`: how many
        epochs the file at `path` has that isn't gone on from; it is only replaced by one that has more.
        """
        self.path = path
        self._left_aside = left_aside
        self.state = resumed
        self._resumed = resumed
        self._written = time.monotonic()

    def resume(self) -> State | None:
        """What to go on from. With as many epochs as the recipe has, only the end of the training is left to do."""
        return self._resumed

    def save(self, state: State) -> None:
        """Keeps a copy of `state`; it is cheap enough to be called after every epoch.

        Raises: TrainingError, when it can't be written.
        """
        self.state = state._replace(arrays={name: np.array(array) for name, array in state.arrays.items()})
        if time.monotonic() - self._written > SECONDS:
            self.write()

    def write(self) -> None:
        """Writes the last state, if there is one, whole or not at all; unless what is there has come further.

        Raises: TrainingError.
        """
        if self.state is not None and self.state.epoch > self._left_aside:
            write(self.path, self.state)
        self._written = time.monotonic()

    def remove(self) -> None:
        """To be called when the training has come to its end."""
        self.path.unlink(missing_ok=True)


def path_of(models: Path, identity: Mapping[str, Any]) -> Path:
    """Where the checkpoint of a training lies; two with the same `identity` do the same step for step."""
    text = json.dumps(identity, sort_keys=True)
    return models / f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}{SUFFIX}"


def open_checkpoint(path: Path, resume: bool, say: Callable[[str], None]) -> Checkpoint:
    """The checkpoint at `path`. It is gone on from when `resume` says so, and it can be read; `say` tells what is done.

    That there is none to resume is no error: what restarts an interrupted training always says --resume.
    """
    if not path.exists():
        if resume:
            say("no checkpoint of this training is there: it starts from the beginning")
        return Checkpoint(path)
    try:
        state = read(path)
    except TrainingError as error:
        say(f"{error} It starts from the beginning.")
        return Checkpoint(path)
    if not resume:
        say(f"a checkpoint of this training, after epoch {state.epoch}, is left aside: --resume would go on from it")
        return Checkpoint(path, left_aside=state.epoch)
    say(f"goes on after epoch {state.epoch}")
    return Checkpoint(path, state)


def read(path: Path) -> State:
    """Raises: TrainingError, when there is none, or it is damaged."""
    try:
        arrays = read_npz(path)
        history = tuple(map(_epoch, arrays.pop(HISTORY)))
        epoch = int(arrays.pop(EPOCH))
    except (*BROKEN_FILE, TypeError) as error:
        raise TrainingError(f"Expected the checkpoint of a training at {path}: {first_line(error)}.") from error
    return State(epoch, {name.removeprefix(OF_STATE): array for name, array in arrays.items()}, history)


def _epoch(row: NDArray[np.float64]) -> Epoch:
    loss, accuracy, *held_out = row.tolist()
    return Epoch(loss, accuracy, *(None if math.isnan(value) else value for value in held_out))


def write(path: Path, state: State) -> None:
    """Replaces the file in one step. Raises: TrainingError."""
    arrays = {OF_STATE + name: array for name, array in state.arrays.items()}
    history = np.array([[np.nan if x is None else x for x in epoch] for epoch in state.history], np.float64)
    try:
        # what a killed run leaves in such a folder, the next one clears away
        with tempfile.TemporaryDirectory(prefix=INCOMING, dir=path.parent) as folder:
            staged = Path(folder) / path.name
            with staged.open("wb") as file:
                np.savez(file, **arrays, **{EPOCH: np.array(state.epoch), HISTORY: history})  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
    except OSError as error:
        raise TrainingError(f"Can't write the checkpoint {path}: {error}.") from error
