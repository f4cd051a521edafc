"""What is seen of a training: lines in a file, a bar on a terminal."""

import io

import pytest
from rich.console import Console

from training.progress import Bar, Lines, line, show
from training.trained import Epoch

EPOCH = Epoch(0.10431, 0.96892)


def test_an_epoch_is_a_line() -> None:
    assert line(2, 5, EPOCH, 1.23) == "2/5 loss 0.1043 accuracy 0.9689 1.2 s"
    seen = EPOCH._replace(held_out_loss=0.1, held_out_accuracy=0.97125)
    assert line(2, 5, seen, 1.23) == "2/5 loss 0.1043 accuracy 0.9689 held-out accuracy 0.9712 1.2 s"


def test_a_file_gets_a_line_an_epoch_and_nothing_else() -> None:
    file = io.StringIO()
    with Lines(3, file) as progress:
        for number in (1, 2):
            progress.begin_epoch(number)
            progress.advance(100, 0.2, 0.9)
            progress.end_epoch(EPOCH)
    assert file.getvalue() == "1/3 loss 0.1043 accuracy 0.9689 0.0 s\n2/3 loss 0.1043 accuracy 0.9689 0.0 s\n"


def test_a_terminal_gets_a_bar_with_loss_accuracy_speed_and_time_left() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with Bar(4, 200, finished=1, console=console) as progress:
        progress.begin_epoch(2)
        for _ in range(2):
            progress.advance(100, 0.25, 0.9125)
        progress.end_epoch(EPOCH)
        progress.begin_epoch(3)
        progress.advance(100, None, None)  # not known: what was stays
    shown = file.getvalue()
    assert "epoch 3/4" in shown
    assert "loss 0.2500 accuracy 0.9125" in shown
    assert "images/s" in shown
    assert "left" in shown
    assert "2/4 loss 0.1043 accuracy 0.9689" in shown  # the line of the epoch stays, above the bar


def test_what_is_resumed_begins_where_it_was() -> None:
    bar = Bar(4, 200, finished=3, console=Console(file=io.StringIO()))
    assert bar._bars.tasks[0].percentage == 75


def test_pytests_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert type(show(1, 100)) is Lines
