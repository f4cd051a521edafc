"""`python -m benchmarks.copies`: what is lost when MNIST's test pictures are enlarged, inverted or shifted."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.normalize import SIDE, Grey, normalize
from app.images.resemblance import looks_like_mnist
from app.model import saved_model
from app.model.model import Model
from app.model.runtime import ONE_THREAD, prepare_environment
from app.model.versions import ModelError
from benchmarks.measure import say
from benchmarks.report import table
from benchmarks.servers import MODEL
from training.dataset import load

Copy = Callable[[Grey, Generator], Grey]
FACTORS = 3, 40  # the least and the most that pictures are enlarged by
SEED = 4
ALL = 10_000  # MNIST's test pictures


def enlarged(interpolation: int) -> Copy:
    """Enlarges by a whole factor of FACTORS, as OpenCV's `interpolation` does."""

    def copy(image: Grey, random: Generator) -> Grey:
        side = SIDE * int(random.integers(FACTORS[0], FACTORS[1] + 1))
        large: Grey = cv2.resize(image, (side, side), interpolation=interpolation)
        return large

    return copy


def inverted(image: Grey, _: Generator) -> Grey:
    """Black ink on white."""
    return 255 - image


def shifted(image: Grey, random: Generator) -> Grey:
    """Elsewhere in the same 28x28, all of it within."""
    left, top, width, height = cv2.boundingRect(image)
    across, down = random.integers(0, (SIDE - width + 1, SIDE - height + 1))
    moved = np.zeros_like(image)
    moved[down : down + height, across : across + width] = image[top : top + height, left : left + width]
    return moved


def enlarged_and_inverted(image: Grey, random: Generator) -> Grey:
    """Both."""
    return inverted(enlarged(cv2.INTER_CUBIC)(image, random), random)


COPIES: Mapping[str, Copy] = {
    "enlarged, nearest neighbour": enlarged(cv2.INTER_NEAREST),
    "enlarged, linear": enlarged(cv2.INTER_LINEAR),
    "enlarged, cubic": enlarged(cv2.INTER_CUBIC),
    "enlarged, Lanczos": enlarged(cv2.INTER_LANCZOS4),
    "enlarged, cubic, and inverted": enlarged_and_inverted,
    "inverted": inverted,
    "shifted": shifted,
}


class Loss(NamedTuple):
    """Of `of` pictures, how many are read right as they are, and how many as copies; how many of these differ."""

    of: int
    plain: int
    right: int
    differing: int  # right as one and wrong as the other

    @property
    def points(self) -> float:
        """How many more of a hundred pictures are read wrong."""
        return 100 * (self.plain - self.right) / self.of

    @property
    def standard_error(self) -> float:
        """Of `points`, as a sample of all pictures: only those that differ contribute (McNemar 1947)."""
        return 100 * float(np.sqrt(self.differing)) / self.of


def as_served(image: Grey) -> Grey:
    """The 28x28 that the service would make of pixels of any size, as `app.images.prepare` does."""
    return image if looks_like_mnist(image) else fit(image).image


def lost(copy: Copy, images: Grey, labels: NDArray[np.integer], model: Model, seed: int = SEED) -> Loss:
    """`images`: uint8 (N, 28, 28), white on black; `labels`: (N,); both of them MNIST's."""
    random = np.random.default_rng(seed)
    copies = np.stack([as_served(copy(image, random)) for image in images])
    plain = model(normalize(images)).argmax(axis=1) == labels
    right = model(normalize(copies)).argmax(axis=1) == labels
    return Loss(len(images), int(plain.sum()), int(right.sum()), int((plain != right).sum()))


def losses_table(losses: Mapping[str, Loss]) -> str:
    """A row for each way to copy."""
    rows = [["copies", "right", "of", "right as they are", "points lost"]]
    for name, loss in losses.items():
        rows.append([name, f"{loss.right:,}", f"{loss.of:,}", f"{loss.plain:,}", f"{loss.points:.2f}"])
    return table(rows)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.copies",
        description="Reads copies of MNIST's test pictures: enlarged 3 to 40 times, inverted, shifted. Says how many "
        "points of accuracy each kind of copy loses. All of them take about two minutes.",
    )
    parser.add_argument(
        "--model", type=Path, default=MODEL, metavar="DIR", help="a version of a model (default: %(default)s)"
    )
    parser.add_argument("--pictures", type=int, default=ALL, metavar="N", help="only the first N")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    options = parse(arguments)
    os.environ |= ONE_THREAD
    prepare_environment()
    try:
        model = saved_model.load(options.model.absolute())
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    mnist = load()
    images, labels = mnist.x_test[: options.pictures], mnist.y_test[: options.pictures]
    say(losses_table({name: lost(copy, images, labels, model) for name, copy in COPIES.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
