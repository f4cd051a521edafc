"""CPU time a request of each server as an SVG: one bar each, on a logarithmic scale."""

from html import escape
from math import ceil, log10

from benchmarks.servers import OWN, PEERS

WIDTH, LABEL, BAR, DECADE = 860, 340, 26, 80  # pixels; a decade is a factor of ten
OURS, OTHERS = "#c2410c", "#94a3b8"


def cpu_plot(figures: dict[str, float]) -> str:
    """What is measured at 64 connections, the least first."""
    found = {name: figures.get(f"{name}/64/cpu_us") for name in OWN | PEERS}
    costs = sorted((cost, name) for name, cost in found.items() if cost)
    height = BAR * len(costs) + 44
    rows = [_bar(row, cost, name) for row, (cost, name) in enumerate(costs)]
    decades = ceil(log10(max(costs, default=(10.0, ""))[0]))
    lines = [_line(power, height) for power in range(1, decades + 1)]
    return svg(WIDTH, height, "µs of CPU a request at 64 connections", "".join(lines + rows))


def svg(width: int, height: int, title: str, content: str) -> str:
    """A whole SVG: `content` on white, below its title."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="8" y="18">{title}</text>{content}</svg>\n'
    )


def _bar(row: int, cost: float, name: str) -> str:
    y, width = 28 + row * BAR, DECADE * log10(max(cost, 1))
    colour = OURS if name in ("service", "litert") else OTHERS
    title = escape((OWN | PEERS)[name].title.replace("`", ""))
    return (
        f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{title}</text>'
        f'<rect x="{LABEL}" y="{y + 3}" width="{width:.0f}" height="{BAR - 8}" fill="{colour}"/>'
        f'<text x="{LABEL + width + 6:.0f}" y="{y + 15}">{cost:,.0f}</text>'
    )


def _line(power: int, height: int) -> str:
    x = LABEL + DECADE * power
    return (
        f'<line x1="{x}" y1="24" x2="{x}" y2="{height - 16}" stroke="#cbd5e1"/>'
        f'<text x="{x}" y="{height - 3}" text-anchor="middle" fill="#64748b">{10**power:,}</text>'
    )
