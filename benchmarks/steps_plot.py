"""What each step of a request costs as an SVG: a bar each, and a grey one for what the bare floor pays for the same."""

from collections.abc import Mapping
from html import escape

from benchmarks.plot import OTHERS, OURS, svg

WIDTH, LABEL, ROW, BAR = 860, 250, 34, 12  # pixels


def steps_plot(ours: Mapping[str, float], floor: Mapping[str, float]) -> str:
    """µs by step, the dearest first."""
    steps = sorted(ours, key=lambda step: -ours[step])
    scale = (WIDTH - LABEL - 60) / max(*ours.values(), *floor.values())
    height = ROW * len(steps) + 62
    rows = [_row(row, step, ours[step], floor.get(step, 0), scale) for row, step in enumerate(steps)]
    keys = [
        _key(LABEL, OURS, f"this service, {sum(ours.values()):.1f} in all"),
        _key(LABEL + 240, OTHERS, f"bare ASGI on uvicorn, a constant, {sum(floor.values()):.1f} in all"),
    ]
    return svg(WIDTH, height, "µs of CPU a request at 64 connections, by step", "".join(keys + rows))


def _key(x: int, colour: str, text: str) -> str:
    return f'<rect x="{x}" y="30" width="{BAR}" height="{BAR}" fill="{colour}"/><text x="{x + 18}" y="41">{text}</text>'


def _row(row: int, step: str, ours: float, floor: float, scale: float) -> str:
    y = 54 + row * ROW
    title = f'<text x="{LABEL - 8}" y="{y + 17}" text-anchor="end">{escape(step)}</text>'
    return title + _bar(y, ours, scale, OURS) + (_bar(y + BAR + 1, floor, scale, OTHERS) if floor >= 0.05 else "")


def _bar(y: int, cost: float, scale: float, colour: str) -> str:
    width = cost * scale
    return (
        f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
        f'<text x="{LABEL + width + 6:.1f}" y="{y + 11}" font-size="12">{cost:.1f}</text>'
    )
