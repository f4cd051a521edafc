"""How loss and error fell from epoch to epoch."""

from collections.abc import Sequence
from typing import NamedTuple

from training.report.findings import Findings
from training.report.markup import figure, legend
from training.report.svg import Scale, across, counting, decades, line, logarithmic, plot, up
from training.trained import Epoch

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 302, 12, 192  # of the plotted area; right of it stand the last values
APART = 14  # pixels between two of those at least

TRAINING, HELD_OUT = "training", "held-out"


class Curve(NamedTuple):
    """`values`: one for each epoch."""

    name: str
    values: Sequence[float]


def learning_curves(findings: Findings) -> str:
    """Two plots side by side."""
    history = findings.history
    if not history:
        return "<p>No history of this training was kept.</p>\n"
    entries = [(TRAINING, "while training")] + [(HELD_OUT, "held out, after each epoch")] * _holds_out(history)
    plots = _plot("Loss", "nats a picture", _losses(history), 1) + _plot("Error", "% read wrong", _errors(history), 100)
    return figure(f'{legend(*entries)}<div class="pair">\n{plots}</div>\n', _caption(history), "curves")


def _caption(history: tuple[Epoch, ...]) -> str:
    start = "Lower is better; equal distances on these scales are equal factors."
    if not _holds_out(history):
        return f"{start} No picture was held out, so this is how well those are known that it was trained on."
    return (
        f"{start} A held-out line above the other is what was learnt by heart; below it, training was made harder than "
        "the pictures are, by distortions or noise. Where the held-out line is flat, more epochs would not help."
    )


def _holds_out(history: tuple[Epoch, ...]) -> bool:
    return all(epoch.held_out_loss is not None and epoch.held_out_accuracy is not None for epoch in history)


def _losses(history: tuple[Epoch, ...]) -> list[Curve]:
    held_out = [epoch.held_out_loss for epoch in history if epoch.held_out_loss is not None]
    return _curves(history, [epoch.loss for epoch in history], held_out)


def _errors(history: tuple[Epoch, ...]) -> list[Curve]:
    held_out = [1 - epoch.held_out_accuracy for epoch in history if epoch.held_out_accuracy is not None]
    return _curves(history, [1 - epoch.accuracy for epoch in history], held_out)


def _curves(history: tuple[Epoch, ...], training: list[float], held_out: list[float]) -> list[Curve]:
    return [Curve(TRAINING, training)] + ([Curve(HELD_OUT, held_out)] if _holds_out(history) else [])


def _plot(title: str, unit: str, curves: list[Curve], factor: float) -> str:
    values = [factor * value for curve in curves for value in curve.values]
    epochs = len(curves[0].values)
    x = Scale(0, epochs, LEFT, RIGHT)
    y = logarithmic(values, BOTTOM, TOP)
    sign = "%" if factor == 100 else ""
    axes = across(x, [(epoch, str(epoch)) for epoch in counting(epochs)], TOP, BOTTOM)
    axes += up(y, [(mark, f"{mark:g}{sign}") for mark in decades(y.low, y.high)], LEFT, RIGHT)
    axes += f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 32}" text-anchor="middle">epochs</text>'
    lines = "".join(
        line([(x(epoch), y(factor * value)) for epoch, value in enumerate(curve.values, 1)], curve.name)
        for curve in curves
    )
    ends = [factor * curve.values[-1] for curve in curves]
    words = f"{title} over {epochs} epochs; at the end " + ", ".join(
        f"{curve.name.replace('-', ' ')} {end:.3g}{sign}" for curve, end in zip(curves, ends, strict=True)
    )
    content = plot(WIDTH, HEIGHT, words, axes + lines + _last_values(y, ends, sign))
    return f'<div><h3>{title} <span class="quiet">({unit}, logarithmic)</span></h3>\n{content}</div>\n'


def _last_values(y: Scale, ends: list[float], sign: str) -> str:
    places = [y(end) for end in ends]
    if len(places) == 2 and (gap := APART - abs(places[0] - places[1])) > 0:
        down = places[0] > places[1]
        places[not down] += gap / 2  # the lower one goes lower still
        places[down] -= gap / 2
    return "".join(
        f'<text class="value" x="{RIGHT + 8}" y="{place + 4:.1f}">{end:.3g}{sign}</text>'
        for place, end in zip(places, ends, strict=True)
    )
