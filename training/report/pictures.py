"""Pictures inside the page: the worst mistakes, and pictures as they were trained on."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.report.findings import Findings
from training.report.markup import figure, sure

MISTAKES, EXAMPLES = 24, 48  # shown at most: two screens of a telephone


def mistakes(findings: Findings) -> str:
    """Those of which it was surest, each with what it is and what it was read as."""
    worst = findings.test.worst
    if not len(worst):
        return "<p>It made no mistake on these pictures.</p>\n"
    items = "".join(_mistake(findings, int(index)) for index in worst[:MISTAKES])
    shown = f"The {min(MISTAKES, len(worst))} of {len(worst):,}" if len(worst) > MISTAKES else f"All {len(worst)}"
    caption = f"{shown} mistakes that it was surest of. Some, people would make, too; the others show what it lacks."
    return figure(f'<ul class="gallery">\n{items}</ul>\n', caption)


def _mistake(findings: Findings, index: int) -> str:
    truth, answer = (escape(findings.labels[int(each[index])]) for each in (findings.test.truth, findings.test.answers))
    confidence = sure(float(findings.test.confidence[index]))
    picture = image(grey(findings.pictures[index]), f"Test picture {index}: a {truth}")
    return (
        f'<li>{picture}<span>is <b>{truth}</b></span> <span>read <b class="wrong">{answer}</b></span> '
        f"<small>{confidence}</small></li>\n"
    )


def examples(findings: Findings) -> str:
    """A few of the pictures as they were trained on."""
    shown = findings.examples[:EXAMPLES]
    if not len(shown):
        return ""
    content = group(f"{len(shown)} training pictures, as the network saw them", map(grey, shown))
    return figure(
        content, "Each epoch distorts every picture anew; what can still be read is what it must learn to read."
    )


def group(title: str, pngs: Iterable[bytes]) -> str:
    """Pictures side by side that are one to whom can't see them: `title` says what they show."""
    images = "".join(image(png, "") for png in pngs)
    return f'<div class="group" role="img" aria-label="{escape(title)}">{images}</div>\n'


def image(png: bytes, words: str) -> str:
    """A 28x28 picture; `words` are for those who can't see it."""
    data = b64encode(png).decode("ascii")
    return f'<img width="28" height="28" alt="{words}" src="data:image/png;base64,{data}">'


def grey(picture: NDArray[np.uint8]) -> bytes:
    """uint8 (28, 28) as PNG."""
    return to_png(Image.fromarray(picture))


def to_png(picture: Image.Image, **options: Any) -> bytes:
    """The bytes of a small PNG."""
    file = BytesIO()
    picture.save(file, "PNG", optimize=True, **options)
    return file.getvalue()
