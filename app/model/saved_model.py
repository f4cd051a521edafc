"""The engine `tensorflow`: a SavedModel, its signatures checked, called by the shortest way into TensorFlow."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.model import runtime, signature
from app.model.explain import SHAPES, Network, find_network
from app.model.metadata import Metadata
from app.model.model import Model, Tensors, signatures_of, warm_up
from app.model.report import read_report
from app.model.versions import ModelError, first_line

NAME = "tensorflow"


def start() -> None:
    """Imports TensorFlow, which takes two seconds."""
    runtime.import_for_good("tensorflow")


def load(version: Path) -> Model:
    """Loads the version in the folder `version` (`.../<name>/<number>`), checks it and warms it up.

    Raises: ModelError, when the folder holds no such model.
    """
    metadata = Metadata.read(version)
    runtime.prepare_environment()
    import tensorflow as tf  # takes two seconds, and only those who load a model need it

    try:
        loaded = tf.saved_model.load(str(version))
    except Exception as error:  # a damaged file makes TensorFlow raise many kinds, some of them its own
        raise ModelError(f"TensorFlow can't load {version}: {first_line(error)}") from error
    _check_signatures(loaded.signatures, signatures_of(metadata), version)
    run = judge = signature.build(loaded.signatures["serving_default"])
    if metadata.not_a_digit is not None:
        judge = signature.build(loaded.signatures["judged"])
    for each in {run, judge}:
        warm_up(each, version)
    network = find_network(_networks(loaded), run)
    name, number, report = version.parent.name, int(version.name), read_report(version)
    return Model(name, number, NAME, metadata, report, run, judge, loaded, network)


def _networks(loaded: Any) -> Iterator[Network]:
    """The network in the variables of `loaded`, if they are named and shaped as the network's are."""
    variables = [getattr(loaded, name, None) for name in Network._fields]
    if [getattr(each, "shape", None) for each in variables] == list(SHAPES):
        yield Network(*(each.numpy().astype(np.float32) for each in variables if each is not None))


def _check_signatures(
    signatures: Mapping[str, Any], expected: Mapping[str, tuple[Tensors, Tensors]], version: Path
) -> None:
    for name, (inputs, outputs) in expected.items():
        if name not in signatures:
            raise ModelError(f"Expected the signature {name!r} in {version}; it has {sorted(signatures)}.")
        for kind, want, got in (
            ("takes", inputs, _tensors(signatures[name].structured_input_signature[1])),
            ("gives", outputs, _tensors(signatures[name].structured_outputs)),
        ):
            if got != want:
                raise ModelError(f"Expected that {name!r} of {version} {kind} {want}; it {kind} {got}.")


def _tensors(specs: Mapping[str, Any]) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    return {name: (spec.dtype.name, tuple(spec.shape)) for name, spec in specs.items()}
