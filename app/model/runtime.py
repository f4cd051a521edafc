"""How the libraries that calculate are started, in the service and in training alike."""

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

ENVIRONMENT = {
    # warnings and errors only: TensorFlow tells about its build at every start
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # oneDNN announces at every start, twice and past the level above, that it adds up in another order; for matrices
    # of this size it buys nothing (the book's training, two runs each: 9.9 and 10.6 s without, 11.6 and 9.7 s with)
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # the CPU alone, also where TensorFlow was built for more
    "CUDA_VISIBLE_DEVICES": "-1",
}
# A process that serves is to keep one core busy: a call of this network lasts 50 µs, and TensorFlow's threads would
# cost that again to hand it over, and take the other processes' cores. NumPy's, for /explain, gain nothing (1.3 ms
# either way) and wait for each other: one answer in a hundred took 30 ms, and takes 2 to 5 with one thread.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

# Objects that come to life before the garbage collector looks at the young ones. Requests leave hardly any cycles,
# and at Python's 700 it looks at them several times a batch.
GARBAGE_THRESHOLD = 20_000


def prepare_environment(environment: Mapping[str, str] = ENVIRONMENT) -> None:
    """Sets `environment`, but for what the user has set already. To be called before TensorFlow, LiteRT and NumPy are
    imported: they read it then.
    """
    for name, value in environment.items():
        os.environ.setdefault(name, value)


@contextmanager
def importing() -> Iterator[None]:
    """Nothing is collected as garbage meanwhile: what modules make on being imported lives for ever.

    Looking for what doesn't took 0.4 s of TensorFlow's import, and 0.1 of the application's.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def import_for_good(library: str) -> None:
    """Imports what runs the model, and takes what is there by then out of the garbage collector's sight.

    TensorFlow leaves 300,000 objects that live for ever; each full collection looked at all of them, which stopped
    every request for 180 ms. What comes later, the models among them, stays in sight: so one that is no longer served
    is let go of, and looking at the rest takes 3 ms.
    """
    prepare_environment()
    with importing():
        import_module(library)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 10, 10)
