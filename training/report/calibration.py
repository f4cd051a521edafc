"""Whether its confidence means what it says: the reliability diagram, and the numbers in it."""

from training.evaluation import Bin, Evaluation, wilson
from training.report.findings import Findings
from training.report.markup import between, figure, percent, table
from training.report.svg import Scale, across, decades, dot, logarithmic, plot, up

WIDTH, HEIGHT = 360, 372
LEFT, RIGHT, TOP, BOTTOM = 48, 348, 12, 262  # of the diagram
COUNTS_TOP, COUNTS_BOTTOM = 276, 336  # of the counts below it
FIFTHS = [(fifth / 5, percent(fifth / 5, 0)) for fifth in range(6)]


def calibration(findings: Findings) -> str:
    """The diagram, and a table of its bins."""
    test = findings.test
    caption = (
        "On the diagonal, what it is 80% sure of is right 80% of the time; below the line it is over-confident. "
        f"On average it is {percent(float(test.confidence.mean()))} sure and {percent(test.accuracy)} right. The "
        f"expected calibration error, {test.calibration_error:.4f}, is the mean distance from the diagonal; were its "
        f"confidence exactly right, these pictures would show up to {test.error_by_chance:.4f} by chance (in 95 of "
        "100 samples). Bars: 95% intervals. Below: how many pictures, on a logarithmic scale."
    )
    heads = ["sure", "right", "95% interval", "pictures"]
    numbers = table("The dots of the diagram", heads, map(_numbers, test.calibration))
    return figure(f'<div class="pair">\n{_diagram(test)}{numbers}</div>\n', caption, "calibration")


def _numbers(each: Bin) -> list[str]:
    return [percent(each.confidence, 1), percent(each.accuracy, 1), between(_interval(each), 1), f"{each.pictures:,}"]


def _interval(each: Bin) -> tuple[float, float]:
    return wilson(round(each.accuracy * each.pictures), each.pictures)


def _diagram(test: Evaluation) -> str:
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    words = f"Reliability diagram; expected calibration error {test.calibration_error:.4f}"
    content = (
        up(y, FIFTHS, LEFT, RIGHT)
        + f'<path class="diagonal" d="M{LEFT} {BOTTOM}L{RIGHT} {TOP}"/>'
        + f'<text class="inside" x="{LEFT + 10}" y="{TOP + 18}">right ↑</text>'
        + "".join(_mark(x, y, each) for each in test.calibration)
        + across(x, FIFTHS, COUNTS_TOP, COUNTS_BOTTOM)
        + _counts(x, test.calibration)
        + f'<text x="{(LEFT + RIGHT) / 2}" y="{COUNTS_BOTTOM + 31}" text-anchor="middle">how sure it is</text>'
    )
    return plot(WIDTH, HEIGHT, words, content)


def _mark(x: Scale, y: Scale, each: Bin) -> str:
    low, high = _interval(each)
    words = f"{each.pictures} pictures: {percent(each.confidence, 1)} sure, {percent(each.accuracy, 1)} right"
    place = x(each.confidence)
    return f'<path class="bar" d="M{place:.1f} {y(low):.1f}V{y(high):.1f}"/>' + dot(
        (place, y(each.accuracy)), "", words
    )


def _counts(x: Scale, bins: tuple[Bin, ...]) -> str:
    y = logarithmic([1, *(each.pictures for each in bins)], COUNTS_BOTTOM, COUNTS_TOP, steps=(1,))
    marks = [(mark, f"{mark:,.0f}") for mark in decades(y.low, y.high, steps=(1,))]
    # the foot of a bar is below 1, so that a single picture can be seen
    bars = "".join(
        f'<rect class="count" x="{x(each.low) + 1:.1f}" width="{x(each.high) - x(each.low) - 2:.1f}" '
        f'y="{y(each.pictures) - 2:.1f}" height="{COUNTS_BOTTOM - y(each.pictures) + 2:.1f}"/>'
        for each in bins
    )
    return up(y, marks[:: 1 + len(marks) // 4], LEFT, RIGHT) + bars
