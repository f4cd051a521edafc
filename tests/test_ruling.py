"""Pencil on squared paper, the lines of which are as dark as it is from near, and paler from afar."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.ink import Ink
from app.images.ruling import above_ruling
from tests.real_pictures import enlarged
from training.dataset import Dataset

Grey = NDArray[np.uint8]
HEIGHT, WIDTH, SQUARE = 450, 525, 30  # pixels
DIGIT, LEFT, TOP = 120, 230, 150


def page(image: Grey, squared: bool, seed: int = 0) -> Grey:
    """Paper in uneven light with pencil on it, which is rough."""
    random = np.random.default_rng(seed)
    pixels = np.full((HEIGHT, WIDTH), 235, np.float32)
    if squared:
        pixels[10::SQUARE] = pixels[11::SQUARE] = 158
        pixels[:, 10::SQUARE] = pixels[:, 11::SQUARE] = 158
    ink = enlarged(image, DIGIT) * random.uniform(0.5, 1, enlarged(image, DIGIT).shape)
    place = pixels[TOP : TOP + ink.shape[0], LEFT : LEFT + ink.shape[1]]
    place += ink * (112 - place)
    pixels *= np.linspace(1, 0.6, WIDTH)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 0.8) + random.normal(0, 3, pixels.shape)
    seen: Grey = np.clip(pixels, 0, 255).astype(np.uint8)
    return seen


def test_pencil_on_squared_paper_is_seen_without_the_squares(mnist: Dataset) -> None:
    alike = 0
    for seed, image in enumerate(mnist.x_test[:20]):
        plain, found = fit(page(image, False, seed)), fit(page(image, True, seed))
        likeness = cv2.matchTemplate(found.image, plain.image[2:-2, 2:-2], cv2.TM_CCOEFF_NORMED).max()
        alike += np.abs(np.array(found.box) - plain.box).max() <= 14 and likeness > 0.65
    assert alike >= 18  # without what `above_ruling` does, 9; a broken digit may lose a part


def lines(strength: Grey) -> None:
    strength[5::10] = np.maximum(strength[5::10], 50)


def stroke(strength: Grey) -> None:
    cv2.line(strength, (40, 30), (60, 75), 150, 6)


def shadow(strength: Grey) -> None:
    strength[:, :35] = 60


def test_strokes_are_seen_above_weaker_lines() -> None:
    strength = np.zeros((100, 110), np.uint8)
    lines(strength)
    stroke(strength)
    above = above_ruling(Ink(strength, 50.0, True))
    assert above.level > 80
    assert above.mask[:, :30].max() == 0
    assert above.mask[50, 48] == 255


@pytest.mark.parametrize("draw", [[stroke], [lines], [stroke, shadow]], ids=["stroke", "lines", "shadow"])
def test_ink_without_weaker_lines_is_left_as_it_is(draw: list[Callable[[Grey], None]]) -> None:
    strength = np.zeros((100, 110), np.uint8)
    for each in draw:
        each(strength)
    ink = Ink(strength, 50.0, True)
    assert above_ruling(ink) is ink
