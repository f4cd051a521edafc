"""BentoML with adaptive batching: `bentoml serve benchmarks.contenders.bentoml_peer:Digits`."""

from typing import Any

import bentoml
import numpy as np
from PIL.Image import Image

from benchmarks.contenders.signature import answer, load, pixels_of


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Digits:
    def __init__(self) -> None:
        self.model = load()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, file: list[Image]) -> list[dict[str, Any]]:
        """A batch of pictures, gathered by BentoML."""
        return [answer(row) for row in self.model(np.stack([pixels_of(picture) for picture in file]))]
