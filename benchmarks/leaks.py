"""`python -m benchmarks.leaks service|xla`: loads the model anew 25 times, and prints its MiB after 5 and 25."""

import gc
import os
import sys
from pathlib import Path

import numpy as np

from app.model import saved_model
from app.model.tensors import PIXELS
from benchmarks.engine import one_thread, partitioned, xla_constants
from benchmarks.servers import MODEL

LOADS, XLA_SIZES = (5, 25), (1, 8, 32)


def load_once(way: str) -> None:
    """Loads the model, answers, and drops it."""
    model = saved_model.load(MODEL)
    if way == "xla":
        for size in XLA_SIZES:
            run = partitioned(xla_constants(model._loaded.signatures["serving_default"], size))
            run(np.zeros((size, PIXELS), np.float32))


def _rss() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(way: str) -> None:
    """In a process of its own: nothing else has been loaded there."""
    one_thread()
    for number in range(1, max(LOADS) + 1):
        load_once(way)
        gc.collect()
        if number in LOADS:
            sys.stdout.write(f"{_rss()}\n")


if __name__ == "__main__":
    main(sys.argv[1])
