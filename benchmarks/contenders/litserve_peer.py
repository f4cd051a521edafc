"""LitServe, batching. `python -m benchmarks.contenders.litserve_peer PORT`."""

import sys
from typing import Any

import litserve
import numpy as np
from PIL import Image

from benchmarks.contenders.signature import answer, load, pixels_of


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = load()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe takes an annotation for a schema
        return pixels_of(Image.open(request["file"].file))

    def batch(self, inputs: list[Any]) -> Any:
        return np.stack(inputs)

    def predict(self, pixels: Any) -> Any:
        return self.model(pixels)

    def encode_response(self, probabilities: Any) -> Any:
        return answer(probabilities)


if __name__ == "__main__":
    api = Digits(max_batch_size=64, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
