"""The model card: what the model is for, what it was made from, where it fails, and how to make it again.

M. Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from training.dataset import HASHES
from training.report import uses
from training.report.findings import Findings
from training.report.markup import between, facts, percent

APART = ("recipe", "data", "packages", "labels", "metrics")  # what has a place of its own in the card

MNIST = (
    "MNIST: Y. LeCun, C. Cortes, C. J. C. Burges, derived from NIST's Special Databases 1 and 3; described in "
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, Proceedings "
    "of the IEEE 86(11), 1998. Licence: Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0). Digits by "
    "employees of the Census Bureau and by high school students of the USA; nobody who wrote for the training "
    "pictures wrote for the test."
)
OTHER = "A dataset in MNIST's format, brought by whoever trained; its licence is the one under which they have it."


def model_card(findings: Findings) -> str:
    """The sections of the paper, in its order, and how to reproduce."""
    sections = (
        ("Model details", _details(findings)),
        ("Intended use", _paragraphs(uses.intended(findings))),
        ("Factors", _paragraphs(uses.factors(findings))),
        ("Metrics", _metrics(findings)),
        ("Training and evaluation data", _data(findings)),
        ("Ethical considerations", _paragraphs(uses.ethics(findings))),
        ("Limits and recommendations", _paragraphs(uses.limits(findings))),
        ("How to reproduce", _reproduction(findings)),
    )
    return "".join(f"<section>\n<h3>{title}</h3>\n{content}</section>\n" for title, content in sections)


def _details(findings: Findings) -> str:
    others = {name: value for name, value in findings.metadata.items() if name not in APART}
    parameters = sum(each.size for each in findings.weights)
    rows = [*_flat(others), ("parameters", f"{parameters:,}"), ("classes", escape(", ".join(findings.labels)))]
    return facts(rows) + "<h4>Recipe</h4>\n" + facts(_flat(findings.about("recipe")))


def _metrics(findings: Findings) -> str:
    test = findings.test
    words = (
        f"Accuracy on the test set is {percent(test.accuracy)}, with a 95% interval of {between(test.interval)} "
        "(Wilson). The interval covers the chance in which pictures came to be tested, not the chance in training "
        "(another seed gives another network) nor other kinds of pictures. All figures that were written down:"
    )
    return f"<p>{words}</p>\n" + facts(_flat(findings.about("metrics")))


def _data(findings: Findings) -> str:
    return f"<p>{MNIST if _is_mnist(findings) else OTHER}</p>\n" + facts(_flat(findings.about("data")))


def _is_mnist(findings: Findings) -> bool:
    published: dict[str, str] = json.loads(HASHES.read_text(encoding="utf-8"))
    return all(findings.about("data", "sha256", name) == value for name, value in published.items())


def _reproduction(findings: Findings) -> str:
    commands = escape("\n".join(reproducing(findings)))
    words = (
        "The same code, packages and seed give the same weights on the same machine, byte for byte; on another machine "
        "the last bits of sums may differ, and the figures by a little."
    )
    if str(findings.about("code_version")).endswith("-dirty"):
        words += " The code differed from that commit when this was trained: what it was is not written down."
    packages = "<h4>Packages</h4>\n" + facts(_flat(findings.about("packages")))
    return f'<p>{words}</p>\n<pre tabindex="0" aria-label="The commands"><code>{commands}</code></pre>\n{packages}'


def reproducing(findings: Findings) -> Iterator[str]:
    """The commands, one a line, that train the same again from a checkout of this project."""
    version = str(findings.about("code_version") or "unknown").removesuffix("-dirty")
    if version != "unknown":
        yield f"git checkout {shlex.quote(version)}"
    yield "make .venv/.run"
    options = {"recipe": ("recipe", "name"), "seed": ("seed",), "epochs": ("recipe", "epochs")}
    given = {option: findings.about(*path) for option, path in options.items()}
    if not _is_mnist(findings):
        given["data"] = findings.about("data", "source")
    if not findings.reads_digits:
        yield f"printf '%s\\n' {shlex.join(findings.labels)} > labels.txt"
        given["labels"] = "labels.txt"
    words = [f"--{option} {shlex.quote(str(value))}" for option, value in given.items() if value is not None]
    yield " ".join([".venv/bin/python -m training fit", *words, "--models /tmp/models"])


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Each number and text in `value`, with the names that lead to it: {"a": {"b": 1}} → [("a.b", "1")]."""
    if isinstance(value, Mapping):
        return [row for key, each in value.items() for row in _flat(each, f"{name}.{key}" if name else str(key))]
    return [(escape(name), escape(_written(value)))] if name else []


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value))
    return "none" if value is None else str(value)


def _paragraphs(texts: list[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>\n" for text in texts)
