"""`python -m benchmarks.no_server FOLDER`: what a worker does for uploads, without HTTP around it.

Reads FOLDER/images.npy, says "ready", and for each line of standard input, a number of seconds, prepares pictures and
calls the signature of the model in $SAVED_MODEL for that long. Prints how many pictures that were, a second.
"""

import sys
import time
from pathlib import Path

import numpy as np

from app.images.normalize import normalize
from app.images.untouched import untouched
from benchmarks.contenders.signature import load
from benchmarks.exchanges import png
from benchmarks.measure import say

BATCH = 64


def main(folder: Path) -> None:
    """In a process of its own, on the CPU that it is given."""
    answer = load()
    files = [png(image) for image in np.load(folder / "images.npy")]
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]

    def work(number: int) -> None:
        batch = batches[number % len(batches)]
        images = [image for image in untouched(batch) if image is not None]  # each: they are MNIST's
        answer(normalize(np.stack(images)))

    work(0)
    say("ready")
    for line in sys.stdin:
        number, begin, seconds = 0, time.perf_counter(), float(line)
        while (elapsed := time.perf_counter() - begin) < seconds:
            work(number)
            number += 1
        say(str(number * BATCH / elapsed))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
