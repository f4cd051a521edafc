"""What the hidden units see: the weights from each pixel, of the units that matter most for each class."""

from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.normalize import SIDE, normalize
from training.report.findings import Findings
from training.report.markup import figure, legend
from training.report.pictures import image, to_png

UNITS = 6  # shown for each class
LEVELS = 7  # on either side of zero: with it, 15 colours, which a PNG holds in 4 bits a pixel
BLUE, ORANGE = (0x2B, 0x83, 0xD6), (0xE0, 0x6C, 0x16)  # to be told apart with every kind of colour blindness


def hidden_units(findings: Findings) -> str:
    """A row of pictures for each class."""
    rows = "".join(
        f'<li><span>{escape(label)}</span><div role="img" aria-label="Weights of the {UNITS} units that speak most for '
        f'{escape(label)}">{"".join(_unit(findings.weights[0][:, unit]) for unit in units)}</div></li>\n'
        for label, units in zip(findings.labels, influential_units(findings), strict=True)
    )
    caption = (
        f"The {UNITS} of {findings.weights[0].shape[1]} hidden units that add most to the score of each class, in test "
        "pictures of that class. A unit need not look like its class: it sees a stroke here and a gap there, and the "
        "sum of many decides."
    )
    colours = legend(("for", "ink here excites the unit"), ("against", "ink here calms it"))
    name = "units" if findings.has_short_labels else "units named"
    return figure(f'{colours}<ul class="{name}">\n{rows}</ul>\n', caption)


def influential_units(findings: Findings) -> NDArray[np.int64]:
    """The units of each class, (10, 6), the most influential first: by their mean share in the score of the class,
    above what they add to all classes, over the test pictures of the class.
    """
    kernel, bias, out, _ = findings.weights
    active = np.maximum(normalize(findings.pictures) @ kernel + bias, 0)
    classes = np.arange(out.shape[1])[:, np.newaxis]
    of_class = (findings.test.truth == classes).astype(np.float32)
    mean = of_class @ active / np.maximum(of_class.sum(axis=1, keepdims=True), 1)
    influence = mean * (out - out.mean(axis=1, keepdims=True)).T  # (10, 512)
    order: NDArray[np.int64] = np.argsort(-influence, axis=1, kind="stable")
    return order[:, :UNITS]


def _unit(weights: NDArray[np.float32]) -> str:
    """Weights (784,) as a picture: the larger, the more opaque, so that it stands on light paper and on dark."""
    most = float(np.abs(weights).max()) or 1.0
    levels = np.rint(LEVELS * weights / most).astype(np.int64) + LEVELS  # 0..14, nothing at 7
    picture = Image.fromarray(levels.astype(np.uint8).reshape(SIDE, SIDE), "L")
    picture = picture.convert("P")
    picture.putpalette([part for level in range(2 * LEVELS + 1) for part in (ORANGE if level < LEVELS else BLUE)])
    opacity = bytes(255 * abs(level - LEVELS) // LEVELS for level in range(2 * LEVELS + 1))
    return image(to_png(picture, transparency=opacity, bits=4), "")
