"""`python -m benchmarks.training`: the notebook's training against the `book` recipe, the same network by Keras."""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from app.settings import CHECKOUT
from benchmarks.errors import BenchmarkError
from benchmarks.measure import say
from benchmarks.report import table

ROUNDS = 5
WAYS = {"notebook": ["benchmarks.notebook"], "book": ["benchmarks.training", "--one"]}


class Run(NamedTuple):
    """From uint8 pictures to a trained network: seconds, and of CPU; then the accuracy (0..1) on the test set."""

    seconds: float
    cpu_seconds: float
    accuracy: float


def one() -> Run:
    """Trains by the recipe, in this process."""
    from app.images.normalize import normalize
    from training import book, dataset
    from training.checkpoint import Checkpoint
    from training.evaluation import Evaluation
    from training.progress import Lines
    from training.recipes import Book

    data = dataset.load()
    recipe, (pictures, held_out) = Book(), data.split(Book.held_out)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, progress = Checkpoint(Path(folder) / "checkpoint.npz"), Lines(recipe.epochs, io.StringIO())
        began, began_cpu = time.perf_counter(), time.process_time()
        trained = book.train(recipe, pictures, held_out, 0, checkpoint, progress)
        seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return Run(seconds, cpu, Evaluation(trained.answer(normalize(data.x_test)), data.y_test).accuracy)


def measure(way: str) -> Run:
    """One of WAYS, in a process of its own."""
    command = [sys.executable, "-m", *WAYS[way]]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=CHECKOUT, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{way} ended with status {done.returncode}: {done.stderr[-500:]}")
    return Run(*json.loads(done.stdout.splitlines()[-1]))


def report(runs: dict[str, list[Run]]) -> str:
    """Medians, and how many times as fast as the notebook's each is."""
    slowest = _medians(runs["notebook"])
    rows = [["training", "seconds", "times as fast", "CPU seconds", "times fewer", "accuracy"]]
    for way, each in runs.items():
        seconds, cpu, accuracy = _medians(each)
        times = [f"{slowest.seconds / seconds:.2f}", f"{slowest.cpu_seconds / cpu:.2f}"]
        rows.append([way, f"{seconds:.2f}", times[0], f"{cpu:.2f}", times[1], f"{accuracy:.2%}"])
    return table(rows)


def _medians(runs: list[Run]) -> Run:
    return Run(*(median(figures) for figures in zip(*runs, strict=True)))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description="Trains as the notebook does and by the recipe `book`, in turn, each time in a fresh process.",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="how often (default: %(default)s)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    options = parse(arguments)
    if options.one:
        say(json.dumps(one()))
        return 0
    try:
        rounds = [{way: measure(way) for way in WAYS} for _ in range(options.rounds)]
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    say(report({way: [each[way] for each in rounds] for way in WAYS}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
