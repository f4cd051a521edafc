"""What is taken for what, and how good each class is read."""

from html import escape
from math import ceil, sqrt

import numpy as np

from training.evaluation import ClassFigures, Evaluation, wilson
from training.report.findings import Findings
from training.report.markup import between, figure, percent, table
from training.report.svg import Scale

SHADES = 5  # of the style's colours for mistakes


def confusion(findings: Findings) -> str:
    """The confusion matrix."""
    labels = [escape(label) for label in findings.labels]
    counts = findings.test.confusion
    most = max(1, int((counts - np.diag(counts.diagonal())).max()))
    rows = [
        [labels[truth], *(_cell(int(count), truth == answer, most) for answer, count in enumerate(counts[truth]))]
        for truth in range(len(labels))
    ]
    name = "confusion" if findings.has_short_labels else "confusion turned"
    heads = ["", *(f"<span>{label}</span>" for label in labels)]
    heads[0] = '<span class="unseen">true class</span>'
    matrix = table("Pictures of each class (row) by what they were read as (column)", heads, rows, name)
    return figure(matrix, f"A row is what pictures are, a column what they were read as. {_most_frequent(findings)}")


def _cell(count: int, is_right: bool, most: int) -> str:
    if is_right:
        return f'<td class="hit">{count}</td>'
    if not count:
        return '<td class="none">·</td>'
    return f'<td class="miss-{ceil(SHADES * sqrt(count / most))}">{count}</td>'


def _most_frequent(findings: Findings) -> str:
    wrong = findings.test.confusion - np.diag(findings.test.confusion.diagonal())
    if not wrong.any():
        return "It made no mistake."
    truth, answer = divmod(int(wrong.argmax()), len(wrong))
    one, other = escape(findings.labels[truth]), escape(findings.labels[answer])
    return f"The most frequent mistake: {one}, read as {other} ({_times(int(wrong[truth, answer]))})."


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def per_class(findings: Findings) -> str:
    """A row for each class, with its intervals drawn on one scale."""
    test = findings.test
    scale = Scale(_least(test), 1, 4, 116)
    rows = [_figures(findings, number, each, scale) for number, each in enumerate(test.per_class)]
    heads = [
        "class",
        "pictures",
        "read right",
        "95% interval",
        percent(scale.low, 0) + " … 100%",
        "answer right",
        "mostly taken for",
    ]
    caption = (
        "Read right (recall): of the pictures of a class, how many were read as it. Answer right (precision): when it "
        "answers so, how often that is so. Where two intervals overlap, the classes may be equally hard."
    )
    return figure(table("Figures of each class", heads, rows, "classes"), caption)


def _least(test: Evaluation) -> float:
    """A whole percent below every interval."""
    lows = [_recall(number, test)[0] for number, each in enumerate(test.per_class) if each.pictures]
    return min(0.99, int(100 * min(lows)) / 100)


def _recall(number: int, test: Evaluation) -> tuple[float, float]:
    return wilson(int(test.confusion[number, number]), int(test.confusion[number].sum()))


def _figures(findings: Findings, number: int, each: ClassFigures, scale: Scale) -> list[str]:
    label = escape(findings.labels[number])
    if each.recall is None:
        return [label, "0", "–", "–", "", percent(each.precision, 1), "–"]
    interval = _recall(number, findings.test)
    drawn = _drawn(scale, each.recall, interval)
    return [
        label,
        f"{each.pictures:,}",
        percent(each.recall, 1),
        between(interval, 1),
        drawn,
        percent(each.precision, 1),
        _taken_for(findings, number),
    ]


def _drawn(scale: Scale, share: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return (
        '<svg class="interval" viewBox="0 0 120 16" width="120" height="16" aria-hidden="true">'
        f'<path class="grid" d="M{scale.start} 8H{scale.end}"/>'
        f'<path class="bar" d="M{scale(low):.1f} 8H{scale(high):.1f}"/>'
        f'<circle class="dot" cx="{scale(share):.1f}" cy="8" r="3.5"/></svg>'
    )


def _taken_for(findings: Findings, number: int) -> str:
    wrong = findings.test.confusion[number].copy()
    wrong[number] = 0
    if not wrong.any():
        return "–"
    return f"{escape(findings.labels[int(wrong.argmax())])} ({int(wrong.max())})"
