"""One training from beginning to end: dataset → network → fit → evaluate → publish."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from app.images.normalize import normalize
from training import dataset
from training.dataset import Dataset
from training.network import build_network
from training.provenance import code_version, package_versions
from training.publish import check_folder, publish
from training.recipes import Recipe, to_metadata

FIRST = 10  # test pictures whose classes are shown, as in the notebook


@dataclass(frozen=True)
class Result:
    """`folder` is the new version; `loss` and `accuracy` (0..1) are of the whole test set."""

    folder: Path
    loss: float
    accuracy: float


def run(recipe: Recipe, models: Path, data: Path | None = None, seed: int = 0, epochs: int | None = None) -> Result:
    """Trains by `recipe` and publishes the next version in `models`.

    `data` is a dataset in MNIST's format (None: the embedded MNIST), `epochs` overrides the recipe's. The same seed
    on the same machine gives the same weights, byte for byte.

    Raises: TrainingError, when the dataset or the folder is not as it must be; then nothing is published.
    """
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    check_folder(models)
    digits = dataset.load(data)
    print(f"{digits.source}: {len(digits.x_train)} training and {len(digits.x_test)} test pictures", flush=True)

    keras.utils.set_random_seed(seed)
    network = build_network()
    network.compile(optimizer=recipe.optimizer, loss=recipe.loss, metrics=["accuracy"])
    verbose = 1 if sys.stdout.isatty() else 2  # a progress bar for people, a line an epoch for a file
    network.fit(
        normalize(digits.x_train), digits.y_train, epochs=recipe.epochs, batch_size=recipe.batch_size, verbose=verbose
    )
    loss, accuracy = _evaluate(network, digits)
    folder = publish(
        network.get_weights(),
        lambda pixels: np.asarray(network(pixels)),
        _metadata(recipe, seed, digits, loss, accuracy),
        models,
    )
    print(f"published {folder}: version {folder.name} is right for {accuracy:.2%} of the test pictures")
    return Result(folder, loss, accuracy)


def _evaluate(network: keras.Sequential, digits: Dataset) -> tuple[float, float]:
    """Loss and accuracy on the whole test set, printed with the classes of its first pictures."""
    pixels = normalize(digits.x_test)
    loss, accuracy = network.evaluate(pixels, digits.y_test, verbose=0)
    first = np.asarray(network(pixels[:FIRST])).argmax(axis=1)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.4f}")
    print(f"first {len(first)} test pictures: read {first.tolist()}, are {digits.y_test[:FIRST].tolist()}")
    return float(loss), round(float(accuracy), 6)  # Keras counts in float32: 0.979200005531311


def _metadata(recipe: Recipe, seed: int, digits: Dataset, loss: float, accuracy: float) -> dict[str, Any]:
    """What metadata.json holds; with it and the code's version anyone can train the same again."""
    return {
        "recipe": to_metadata(recipe),
        "seed": seed,
        "network": "784 - Dense 512 relu - Dense 10 softmax",
        "data": {
            "source": digits.source,
            "train": len(digits.x_train),
            "test": len(digits.x_test),
            "sha256": digits.sha256,
        },
        "metrics": {"test_loss": loss, "test_accuracy": accuracy},
        "labels": [str(digit) for digit in range(10)],
        "fit": "digits",
        "code_version": code_version(),
        "packages": package_versions(),
    }
