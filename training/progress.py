"""What people see while a network is trained: a bar on a terminal, a line for each epoch in a file."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from training.trained import Epoch


class Progress(Protocol):
    """What every recipe's training function tells."""

    def begin_epoch(self, number: int) -> None:
        """`number`: from 1."""

    def advance(self, pictures: int, loss: float | None, accuracy: float | None) -> None:
        """`pictures` more are done; loss (nats a picture) and accuracy (0..1) of this epoch so far, where known."""

    def end_epoch(self, epoch: Epoch) -> None:
        """All of its pictures are done."""

    def stage(self, what: str) -> None:
        """What is done before the epochs or after them: it takes a while, and nobody can say how long."""


class Lines:
    """One plain line for each epoch."""

    def __init__(self, epochs: int, file: TextIO = sys.stdout) -> None:
        self._epochs, self._file = epochs, file
        self._number, self._began = 0, 0.0

    def begin_epoch(self, number: int) -> None:
        self._number, self._began = number, time.monotonic()

    def advance(self, pictures: int, loss: float | None, accuracy: float | None) -> None:
        """Says nothing: a file is read afterwards."""

    def end_epoch(self, epoch: Epoch) -> None:
        self._say(line(self._number, self._epochs, epoch, time.monotonic() - self._began))

    def stage(self, what: str) -> None:
        self._say(what)

    def _say(self, text: str) -> None:
        print(text, file=self._file, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away."""


class Bar(Lines):
    """A bar with loss, accuracy, images/s and the time left of the whole run; the epochs' lines above it."""

    def __init__(self, epochs: int, pictures: int, finished: int = 0, console: Console | None = None) -> None:
        """`pictures`: of one epoch. `finished`: epochs that an earlier run has done."""
        super().__init__(epochs)
        self._pictures, self._loss = pictures, ""
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[loss]}"),
            Speed(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            expand=True,
            transient=True,
        )
        self._task = self._bars.add_task("", total=epochs * pictures, completed=finished * pictures, loss="")

    def begin_epoch(self, number: int) -> None:
        super().begin_epoch(number)
        self._bars.update(self._task, description=f"epoch {number}/{self._epochs}")

    def advance(self, pictures: int, loss: float | None, accuracy: float | None) -> None:
        known = [f"{name} {value:.4f}" for name, value in (("loss", loss), ("accuracy", accuracy)) if value is not None]
        self._loss = " ".join(known) or self._loss
        self._bars.update(self._task, advance=pictures, loss=self._loss)

    def end_epoch(self, epoch: Epoch) -> None:
        super().end_epoch(epoch)
        self._bars.update(self._task, completed=self._number * self._pictures)

    def _say(self, text: str) -> None:
        self._bars.console.print(text, highlight=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


class Speed(ProgressColumn):
    """Pictures a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} images/s" if task.speed else "")


def show(epochs: int, pictures: int, finished: int = 0) -> Lines:
    """What fits where the output goes; to be used in a `with`."""
    return Bar(epochs, pictures, finished) if sys.stdout.isatty() else Lines(epochs)


def line(number: int, epochs: int, epoch: Epoch, seconds: float) -> str:
    """As in: 2/5 loss 0.1043 accuracy 0.9689 held-out accuracy 0.9712 1.2 s."""
    words = [f"{number}/{epochs} loss {epoch.loss:.4f} accuracy {epoch.accuracy:.4f}"]
    if epoch.held_out_accuracy is not None:
        words.append(f"held-out accuracy {epoch.held_out_accuracy:.4f}")
    return " ".join([*words, f"{seconds:.1f} s"])
