"""Fashion-MNIST of Debian's dataset-fashion-mnist: ten kinds of clothes in MNIST's format, as IDX files.

H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms, 2017.
"""

import os
from pathlib import Path

from tests.support import CHECKOUT

INSTALLED = Path("usr/share/datasets/fashion-mnist")
MISSING = (
    "Training on other data than MNIST was not tested, for there is no Fashion-MNIST: install it (Debian: apt-get "
    "install dataset-fashion-mnist), or name its folder, as in: FASHION_MNIST=/path/to/fashion-mnist make test"
)
NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def find_fashion() -> Path | None:
    """The folder, or None: $FASHION_MNIST, where Debian has it, or where tests/fetch_fashion.sh puts it."""
    if named := os.environ.get("FASHION_MNIST"):
        return Path(named)
    places = (Path("/") / INSTALLED, CHECKOUT / ".venv" / "datasets" / INSTALLED)
    return next((place for place in places if place.is_dir()), None)
