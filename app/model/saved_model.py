"""A SavedModel on the CPU: loaded, its signatures checked, warmed up, called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import CannotExplain
from app.model import engine
from app.model.engine import PIXELS, Engine, Pixels, Probabilities, Rows
from app.model.explain import Explanation, Network, explain, find_network
from app.model.metadata import CLASSES, Metadata
from app.model.report import read_report
from app.model.runtime import prepare_tensorflow
from app.model.versions import ModelError, first_line

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
class SavedModel:
    """One loaded version. `load` makes it; calling it answers."""

    name: str
    version: int
    metadata: Metadata
    report: bytes | None = field(repr=False)  # a page; read once, so that it is of the version that answers
    _run: Engine = field(repr=False)
    _judge: Engine = field(repr=False)
    _loaded: Any = field(repr=False)  # the variables live as long as this does
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
                f"Expected a network of 784, 512 and 10 units, whose variables are w1, b1, w2 and b2; "
                f"{self.name} version {self.version} is another one. POST /predict answers without reasons."
            )
        return explain(self._network, pixels, digit)


def load(version: Path) -> SavedModel:
    """Loads the version in the folder `version` (`.../<name>/<number>`), checks it and warms it up. Takes seconds.

    Raises: ModelError, when the folder holds no such model.
    """
    metadata = Metadata.read(version)
    prepare_tensorflow()
    import tensorflow as tf  # takes two seconds, and only those who load a model need it

    try:
        loaded = tf.saved_model.load(str(version))
    except Exception as error:  # a damaged file makes TensorFlow raise many kinds, some of them its own
        raise ModelError(f"TensorFlow can't load {version}: {first_line(error)}") from error
    _check_signatures(loaded.signatures, signatures_of(metadata), version)
    judging = metadata.not_a_digit is not None
    run = engine.build(loaded.signatures["serving_default"])
    judge = engine.build(loaded.signatures["judged"]) if judging else run
    for each in {run, judge}:
        _warm_up(each, version)
    network = find_network(loaded, *_examples(run))
    report = read_report(version)
    return SavedModel(version.parent.name, int(version.name), metadata, report, run, judge, loaded, network)


def signatures_of(metadata: Metadata) -> dict[str, tuple[Tensors, Tensors]]:
    """The signatures that a version with `metadata` has, each its inputs and outputs."""
    return SIGNATURES if metadata.not_a_digit is None else SIGNATURES | {"judged": JUDGED}


def _check_signatures(
    signatures: Mapping[str, Any], expected: Mapping[str, tuple[Tensors, Tensors]], version: Path
) -> None:
    for name, (inputs, outputs) in expected.items():
        if name not in signatures:
            raise ModelError(f"Expected the signature {name!r} in {version}; it has {sorted(signatures)}.")
        signature = signatures[name]
        for kind, want, got in (
            ("takes", inputs, _tensors(signature.structured_input_signature[1])),
            ("gives", outputs, _tensors(signature.structured_outputs)),
        ):
            if got != want:
                raise ModelError(f"Expected that {name!r} of {version} {kind} {want}; it {kind} {got}.")


def _tensors(specs: Mapping[str, Any]) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    return {name: (spec.dtype.name, tuple(spec.shape)) for name, spec in specs.items()}


def _examples(run: Engine) -> tuple[Pixels, Probabilities]:
    """A few random pictures, and what the model answers to them."""
    pixels = np.random.default_rng(0).random((8, PIXELS), np.float32)
    return pixels, run(pixels)


def _warm_up(run: Engine, version: Path) -> None:
    for size in engine.WARM_UP_BATCHES:
        rows = run(np.zeros((size, PIXELS), np.float32))
        answer = rows[:, :CLASSES]
        whole = answer.shape == (size, CLASSES) and np.isfinite(rows).all()
        if not whole or not np.allclose(answer.sum(axis=1), 1, atol=SUM_TOLERANCE):
            raise ModelError(f"Expected probabilities that add up to 1 from {version}; got {answer[0].tolist()}.")
