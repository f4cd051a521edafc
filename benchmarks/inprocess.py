"""`python -m benchmarks.inprocess FOLDER SECONDS`: the model in $SAVED_MODEL without a server around it.

Reads FOLDER/images.npy, writes the right answers to FOLDER/expected.npy, and prints how many images a second the
signature `serving_default` does with RAW_BATCH images a call.
"""

import sys
import time
from pathlib import Path

import numpy as np

from app.images.normalize import normalize
from benchmarks.contenders.signature import load
from benchmarks.exchanges import RAW_BATCH


def main(folder: Path, seconds: float) -> None:
    """In a process of its own, so that the benchmark itself stays small."""
    answer = load()
    pixels = normalize(np.load(folder / "images.npy"))
    np.save(folder / "expected.npy", answer(pixels))
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        answer(pixels[:RAW_BATCH])
        calls += 1
    sys.stdout.write(f"{calls * RAW_BATCH / elapsed}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
