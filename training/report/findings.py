"""What a report is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Evaluation
from training.network import Weights
from training.trained import Epoch

SHORT = 2  # letters


@dataclass(frozen=True)
class Findings:
    """`metadata`: what metadata.json will hold; of it, only `labels` must be there. `history`: one for each epoch.

    `test`: what was answered to `pictures`, uint8 (N, 28, 28), the test set, white ink on black. `weights`: those
    that are published. `examples`: uint8 (M, 28, 28), pictures as they were trained on; M may be 0.
    """

    metadata: Mapping[str, Any]
    history: tuple[Epoch, ...]
    test: Evaluation
    pictures: NDArray[np.uint8]
    weights: Weights
    examples: NDArray[np.uint8]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.metadata["labels"])

    @property
    def reads_digits(self) -> bool:
        """Whether the classes are digits; else they are whatever the labels say."""
        return self.labels == tuple("0123456789")

    @property
    def has_short_labels(self) -> bool:
        """Whether they fit above the columns of a table and beside small pictures, as digits and letters do."""
        return max(map(len, self.labels)) <= SHORT

    def about(self, *path: str) -> Any:
        """The value at `path` of the metadata: about("recipe", "name"). None, when it isn't there."""
        found: Any = self.metadata
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found
