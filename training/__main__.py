"""python -m training: trains a network, publishes it for the service, and judges what is published."""

import argparse
import os
import signal
import sys
from _thread import interrupt_main
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import NoReturn

from app.process.signals import hear_signals
from training.errors import Refused, TrainingError
from training.options import parser
from training.recipes import chosen

# The commands import TensorFlow, for seconds: --help and wrong options need not wait.


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    hear_signals(interrupt_main)  # between two steps of Python, for one inside TensorFlow may destroy its memory
    try:
        _check_tensorflow()
        COMMANDS[options.command](options)
    except TrainingError as error:
        return _end(2, error)
    except Refused as error:
        return _end(3, error)
    except KeyboardInterrupt as error:
        return _end(130, str(error) or "interrupted.")
    except BrokenPipeError:  # `| head` has what it wanted
        return 128 + signal.SIGPIPE
    return 0


def _check_tensorflow() -> None:
    if find_spec("tensorflow") is None or find_spec("keras") is None:
        raise TrainingError("Training needs TensorFlow and Keras: requirements/install.sh requirements/run.txt")


def _fit(options: argparse.Namespace) -> None:
    from training.run import Fit, run

    run(
        Fit(
            chosen(options.recipe, options.epochs, are_digits=options.labels is None),
            models=options.models,
            data=options.data,
            labels=options.labels,
            seed=options.seed,
            resume=options.resume,
            force=options.force,
        )
    )


def _evaluate(options: argparse.Namespace) -> None:
    from training.evaluate import report

    print(report(options.model, options.data))


def _compare(options: argparse.Namespace) -> None:
    from training.compare import report

    print(report(options.first, options.second, options.data))


def _convert(options: argparse.Namespace) -> None:
    from training.versions import convert

    print(convert(options.model, options.data))


COMMANDS = {"fit": _fit, "evaluate": _evaluate, "compare": _compare, "convert": _convert}


def _end(status: int, why: object) -> int:
    print(f"python -m training: {why}", file=sys.stderr)
    return status


def leave(status: int) -> NoReturn:
    """Ends the process without taking TensorFlow apart first: all that counts is on the disk by now.

    Once in some hundred interrupted trainings it ended by SIGABRT, "corrupted size vs. prev_size". What a signal may do
    to TensorFlow's memory (`app.process.signals.hear_signals`) is the likely cause, its destructors are the other;
    neither is proved for training.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
