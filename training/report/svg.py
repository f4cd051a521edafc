"""Plots as SVG that take their colours from the page: scales, axes, and what stands on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

Point = tuple[float, float]
STEPS = (1, 2, 5, 10)  # of which the numbers at an axis are multiples


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` → pixels from `start` to `end`. `logarithmic`: `low` is above 0, and what is below
    it is drawn there.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place of `value`, in pixels."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = log10(low), log10(high), log10(max(value, low))
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def logarithmic(values: Iterable[float], start: float, end: float, steps: Sequence[float] = STEPS) -> Scale:
    """A scale from a round number below `values` to one above, which are 0 or more."""
    above_zero = [value for value in values if value > 0] or [1.0]
    round_numbers = decades(min(above_zero), max(above_zero), steps)
    low, high = round_numbers[0], round_numbers[-1]
    return Scale(low, high if high > low else 10 * low, start, end, logarithmic=True)


def decades(least: float, most: float, steps: Sequence[float] = STEPS) -> list[float]:
    """Round numbers, from the last that isn't above `least` to the first that isn't below `most`."""
    powers = range(floor(log10(least)) - 1, ceil(log10(most)) + 1)
    numbers = sorted({float(f"{step * 10.0**power:.6g}") for power in powers for step in steps})
    low = max(number for number in numbers if number <= least * (1 + 1e-9))
    high = min(number for number in numbers if number >= most * (1 - 1e-9))
    return [number for number in numbers if low <= number <= high]


def counting(most: int) -> list[int]:
    """Whole numbers from 0 to `most`, at most seven, a round step apart."""
    step = next(step * 10**power for power in range(10) for step in STEPS if most <= 6 * step * 10**power)
    return list(range(0, most + 1, step))


def across(scale: Scale, marks: Iterable[tuple[float, str]], top: float, bottom: float) -> str:
    """The axis at the `bottom`: a line up to `top` and a text for each of `marks`, value and text."""
    return "".join(
        f'<path class="grid" d="M{scale(value):.1f} {top}V{bottom}"/>'
        f'<text x="{scale(value):.1f}" y="{bottom + 15}" text-anchor="middle">{words}</text>'
        for value, words in marks
    )


def up(scale: Scale, marks: Iterable[tuple[float, str]], left: float, right: float) -> str:
    """The axis at the `left`, as `across`."""
    return "".join(
        f'<path class="grid" d="M{left} {scale(value):.1f}H{right}"/>'
        f'<text x="{left - 6}" y="{scale(value) + 4:.1f}" text-anchor="end">{words}</text>'
        for value, words in marks
    )


def line(points: Sequence[Point], name: str) -> str:
    """A line through `points`, in pixels, with a dot at its end; `name` is its class."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="line {name}" d="M{path}"/>' + dot(points[-1], name)


def dot(point: Point, name: str, title: str = "") -> str:
    """A dot; `title` is what a pointer over it is told."""
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle class="dot {name}" cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="3.5">{inside}</circle>'


def plot(width: int, height: int, title: str, content: str) -> str:
    """A whole SVG, as wide as there is place; `title` says in words what it shows."""
    return (
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" preserveAspectRatio="xMidYMid meet">'
        f"<title>{escape(title)}</title>{content}</svg>\n"
    )
