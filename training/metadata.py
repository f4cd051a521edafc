"""What metadata.json says of a version: with it and the code's version anyone can train the same again."""

from typing import Any

from app.model.metadata import NOT_A_DIGIT
from training.dataset import Dataset
from training.evaluation import Evaluation
from training.provenance import code_version, package_versions
from training.recipes import Recipe, to_metadata
from training.trained import Trained


def origin(recipe: Recipe, seed: int, data: Dataset) -> dict[str, Any]:
    """All that the weights depend on, but for the machine."""
    return {
        "recipe": to_metadata(recipe),
        "seed": seed,
        "network": "784 - Dense 512 relu - Dense 10 softmax",
        "data": {
            "source": data.source,
            "train": len(data.x_train),
            "test": len(data.x_test),
            "sha256": data.sha256,
        },
        "code_version": code_version(),
        "packages": package_versions(),
    }


def describe(origin: dict[str, Any], data: Dataset, trained: Trained, evaluation: Evaluation) -> dict[str, Any]:
    """The whole document; `evaluation` is of the test set."""
    return origin | {
        "metrics": {
            "test_accuracy": evaluation.accuracy,
            "test_accuracy_interval": list(evaluation.interval),
            "test_loss": evaluation.log_loss,
            "test_calibration_error": evaluation.calibration_error,
            **_held_out(trained),
        },
        "labels": list(data.labels),
        "fit": data.fit,
        **_temperature(trained),
        **_thresholds(trained),
    }


def _temperature(trained: Trained) -> dict[str, Any]:
    return {} if trained.temperature is None else {"temperature": trained.temperature}


def _thresholds(trained: Trained) -> dict[str, Any]:
    """Which novelty is said aloud, and of how many digits it is said in error."""
    if trained.novelty is None:
        return {}
    return {"thresholds": {NOT_A_DIGIT: trained.novelty.threshold}, "false_alarms": trained.novelty.false_alarms}


def _held_out(trained: Trained) -> dict[str, float]:
    accuracy = trained.history[-1].held_out_accuracy
    return {} if accuracy is None else {"held_out_accuracy": accuracy}
