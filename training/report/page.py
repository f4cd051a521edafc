"""The page itself: what is in it, in which order, and its headline figures."""

from html import escape
from pathlib import Path

import numpy as np

from app.model.report import FILE
from training.evaluation import Z_95, Evaluation
from training.report.calibration import calibration
from training.report.card import model_card
from training.report.classes import confusion, per_class
from training.report.curves import learning_curves
from training.report.findings import Findings
from training.report.markup import between, percent
from training.report.pictures import examples, mistakes
from training.report.units import hidden_units

STYLE = Path(__file__).parent / "style.css"

# Title and content; what has no content is left out.
SECTIONS = (
    ("Learning curves", learning_curves),
    ("What is taken for what", confusion),
    ("Each class", per_class),
    ("The worst mistakes", mistakes),
    ("Can its confidence be believed?", calibration),
    ("What the hidden units see", hidden_units),
    ("What it was trained on", examples),
    ("Model card", model_card),
)


def write_report(folder: Path, findings: Findings) -> None:
    """Writes the report of the version in `folder`, report/index.html: one page that needs nothing else, neither a
    script nor the network. The same findings give the same bytes.

    Raises: OSError, when it can't be written.
    """
    (folder / FILE).parent.mkdir(exist_ok=True)
    (folder / FILE).write_text(render(findings), encoding="utf-8")


def render(findings: Findings) -> str:
    """The page."""
    contents = [(title, content) for title, write in SECTIONS if (content := write(findings))]
    links = "".join(f'<li><a href="#{_id(title)}">{title}</a></li>' for title, _ in contents)
    sections = "".join(
        f'<section id="{_id(title)}">\n<h2>{title}</h2>\n{content}</section>\n' for title, content in contents
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{_title(findings)}: report</title>\n'
        f'<link rel="icon" href="data:,">\n<style>\n{STYLE.read_text(encoding="utf-8")}</style>\n</head>\n<body>\n'
        f"<header>\n<h1>{_title(findings)}</h1>\n<p>{_lead(findings)}</p>\n{_headline(findings.test)}</header>\n"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n<main>\n{sections}</main>\n</body>\n</html>\n'
    )


def _id(title: str) -> str:
    return "".join(each for each in title.lower().replace(" ", "-") if each.isalpha() or each == "-")


def _title(findings: Findings) -> str:
    return "A network that reads digits" if findings.reads_digits else "A network that tells ten classes apart"


def _lead(findings: Findings) -> str:
    name, seed, source = findings.about("recipe", "name"), findings.about("seed"), findings.about("data", "source")
    pixels, hidden = findings.weights[0].shape
    words = f"{pixels} pixels, {hidden} hidden units, {len(findings.labels)} classes"
    words += f", trained on {source}" if source is not None else ""
    words += f" by the recipe {name}" if name is not None else ""
    words += f" (seed {seed})" if seed is not None else ""
    return escape(f"{words}; tested on {len(findings.pictures):,} pictures that it has never seen.")


def _headline(test: Evaluation) -> str:
    spread = Z_95 * float(np.std(test.losses)) / len(test.losses) ** 0.5
    tiles = (
        ("Read right", percent(test.accuracy), f"95% interval: {between(test.interval)}"),
        ("Mistakes", f"{len(test.worst):,}", f"of {len(test.truth):,} pictures"),
        ("Log loss", f"{test.log_loss:.4f}", f"± {spread:.4f} nats a picture (95%)"),
        (
            "Calibration error",
            f"{test.calibration_error:.4f}",
            f"chance alone: up to {test.error_by_chance:.4f} (95%)",
        ),
    )
    return (
        '<dl class="tiles">\n'
        + "".join(f"<div><dt>{name}</dt><dd>{value}</dd><dd>{note}</dd></div>\n" for name, value, note in tiles)
        + "</dl>\n"
    )
