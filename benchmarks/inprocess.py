"""`python -m benchmarks.inprocess MODEL FOLDER SECONDS`: the model without a server around it.

Reads FOLDER/images.npy, writes the right answers to FOLDER/expected.npy, and prints how many images a second the
signature `serving_default` does with RAW_BATCH images a call.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.exchanges import RAW_BATCH


def main(model_dir: str, folder: Path, seconds: float) -> None:
    """In a process of its own, so that the benchmark itself stays small."""
    import tensorflow as tf

    model = tf.saved_model.load(model_dir)
    signature = model.signatures["serving_default"]
    pixels = np.load(folder / "images.npy").reshape(-1, 784).astype(np.float32) / 255

    def answer(batch: Any) -> Any:
        return signature(pixels=tf.constant(batch))["probabilities"].numpy()

    np.save(folder / "expected.npy", answer(pixels))
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        answer(pixels[:RAW_BATCH])
        calls += 1
    sys.stdout.write(f"{calls * RAW_BATCH / elapsed}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
