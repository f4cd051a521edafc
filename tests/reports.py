"""Findings for the tests of the report: a network that is right more often than not."""

from typing import Any

import numpy as np

from tests.conftest import tiny_weights
from training.dataset import Dataset
from training.evaluation import Evaluation
from training.report import Findings
from training.trained import Epoch

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
HISTORY = (Epoch(0.3, 0.9, 0.2, 0.93), Epoch(0.1, 0.97, 0.12, 0.96))


def findings(mnist: Dataset, count: int = 500, **metadata: Any) -> Findings:
    """Of the first `count` test pictures; `metadata` is added to what any training writes down."""
    random = np.random.default_rng(0)
    truth = mnist.y_test[:count]
    logits = random.normal(0, 2, (count, 10)) + 5 * np.eye(10)[truth]
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    document = {
        "recipe": {"name": "book", "epochs": 5, "batch_size": 128},
        "seed": 7,
        "data": {"source": "mnist (embedded)", "sha256": mnist.sha256},
        "labels": list("0123456789"),
        "code_version": "c98e91d0",
        "packages": {"numpy": "2.4.6"},
    }
    test = Evaluation(probabilities, truth)
    pictures = mnist.x_test[:count]
    return Findings(document | metadata, HISTORY, test, pictures, tiny_weights(), mnist.x_train[:20])
