"""PyTriton with dynamic batching. `python -m benchmarks.contenders.pytriton_peer PORT`."""

import sys
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.contenders.signature import load

CONFIG = ModelConfig(max_batch_size=64, batching=True, batcher=DynamicBatcher(max_queue_delay_microseconds=500))
INPUTS = [Tensor(name="pixels", dtype=np.float32, shape=(784,))]
OUTPUTS = [
    Tensor(name="digit", dtype=np.int32, shape=(1,)),
    Tensor(name="probabilities", dtype=np.float32, shape=(10,)),
]


def serve(port: int) -> None:
    """Serves until a signal comes."""
    model = load()

    @batch
    def infer(pixels: Any) -> Any:
        probabilities = model(pixels)
        return {"digit": probabilities.argmax(axis=1).astype(np.int32)[:, None], "probabilities": probabilities}

    settings = TritonConfig(http_address="127.0.0.1", http_port=port, allow_grpc=False, allow_metrics=False)
    with Triton(config=settings) as triton:
        triton.bind(model_name="digits", infer_func=infer, inputs=INPUTS, outputs=OUTPUTS, config=CONFIG)
        triton.serve()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
