"""A loaded version of the model, whichever engine runs it; and what every version offers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import CannotExplain
from app.model.explain import Explanation, Network, explain
from app.model.metadata import CLASSES, Metadata
from app.model.tensors import BATCHES, PIXELS, Pixels, Probabilities, Rows, Run
from app.model.versions import ModelError

# What a model must offer (DType names and shapes, None for the batch): name → (inputs, outputs).
Tensors = Mapping[str, tuple[str, tuple[int | None, ...]]]
SIGNATURES: dict[str, tuple[Tensors, Tensors]] = {
    "serving_default": (
        {"pixels": ("float32", (None, PIXELS))},
        {"probabilities": ("float32", (None, CLASSES))},
    ),
    "images": (
        {"images": ("uint8", (None, 28, 28))},
        {"digits": ("int64", (None,)), "probabilities": ("float32", (None, CLASSES))},
    ),
}
# What one must offer besides whose metadata.json has a threshold for it.
JUDGED: tuple[Tensors, Tensors] = (
    {"pixels": ("float32", (None, PIXELS))},
    {"judged": ("float32", (None, CLASSES + 1))},  # the probabilities, and the novelty
)
SUM_TOLERANCE = 1e-4  # ten float32 probabilities add up to 1 within this


@dataclass(frozen=True)
class Model:
    """One loaded version. The `load` of an `engine` makes it; calling it answers, from any thread."""

    name: str
    version: int
    engine: str
    metadata: Metadata
    report: bytes | None = field(repr=False)  # a page; read once, so that it is of the version that answers
    _run: Run = field(repr=False)
    _judge: Run = field(repr=False)
    _loaded: Any = field(repr=False)  # what the engine made it of: lives as long as this does
    _network: Network | None = field(repr=False)  # for explaining

    def __call__(self, pixels: Pixels) -> Probabilities:
        """`pixels`: float32 (N, 784) in 0..1, white ink on black → float32 (N, 10), each row adding up to 1."""
        return self._run(pixels)

    def judge(self, pixels: Pixels) -> Rows:
        """As a call, and how unlike a digit: float32 (N, 784) → float32 (N, 10), or (N, 11) with the novelty behind.

        There is an eleventh column where metadata.json has a threshold for it.
        """
        return self._judge(pixels)

    def explain(self, pixels: Pixels, digit: int) -> Explanation:
        """Which of `pixels`, float32 (784,), spoke for `digit` and which against it.

        Raises: CannotExplain, when this isn't the network of which `app.model.explain` knows how.
        """
        if self._network is None:
            raise CannotExplain(
                f"Expected a network of 784, 512 and 10 units with relu and softmax, as this project trains it; "
                f"{self.name} version {self.version} is another one. POST /predict answers without reasons."
            )
        return explain(self._network, pixels, digit)


def signatures_of(metadata: Metadata) -> dict[str, tuple[Tensors, Tensors]]:
    """The signatures that a version with `metadata` has, each its inputs and outputs."""
    return SIGNATURES if metadata.not_a_digit is None else SIGNATURES | {"judged": JUDGED}


def warm_up(run: Run, version: Path) -> None:
    """Runs a model as it will be run, so that no request is the first.

    Raises: ModelError, when it doesn't give probabilities.
    """
    for size in BATCHES:
        rows = run(np.zeros((size, PIXELS), np.float32))
        answer = rows[:, :CLASSES]
        whole = answer.shape == (size, CLASSES) and np.isfinite(rows).all()
        if not whole or not np.allclose(answer.sum(axis=1), 1, atol=SUM_TOLERANCE):
            raise ModelError(f"Expected probabilities that add up to 1 from {version}; got {answer[0].tolist()}.")
