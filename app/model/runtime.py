"""How TensorFlow is started, in the service and in training alike."""

import os

ENVIRONMENT = {
    # warnings and errors only: TensorFlow tells about its build at every start
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # oneDNN announces at every start, twice and past the level above, that it adds up in another order; for matrices
    # of this size it buys nothing (the book's training, two runs each: 9.9 and 10.6 s without, 11.6 and 9.7 s with)
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # the CPU alone, also where TensorFlow was built for more
    "CUDA_VISIBLE_DEVICES": "-1",
}


def prepare_tensorflow() -> None:
    """To be called before TensorFlow is imported. What the user has set already stays."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
