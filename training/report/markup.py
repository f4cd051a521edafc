"""HTML from values: numbers as people read them, tables, figures. Every text from outside passes `escape`."""

from collections.abc import Iterable, Sequence
from html import escape

from training.evaluation import Interval

Cells = Sequence[str]


def percent(share: float | None, decimals: int = 2) -> str:
    """0.9792 → "97.92%"; "–" for None."""
    return "–" if share is None else f"{100 * share:.{decimals}f}%"


def sure(share: float) -> str:
    """A confidence: what would be rounded to 100% is "over 99.9%", for nothing is certain."""
    return percent(share, 1) if share < 0.9995 else "over 99.9%"


def between(interval: Interval, decimals: int = 2) -> str:
    """(0.976, 0.982) → "97.60% to 98.20%"."""
    return f"{percent(interval[0], decimals)} to {percent(interval[1], decimals)}"


def table(caption: str, heads: Cells, rows: Iterable[Cells], name: str = "") -> str:
    """A table that scrolls by itself where it is too wide. Cells are HTML; the first of each row is its head."""
    first = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(f"<tr>{_row(cells)}</tr>\n" for cells in rows)
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(caption)}"><table class="{name}">'
        f'<caption class="unseen">{escape(caption)}</caption>\n'
        f"<thead><tr>{first}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def _row(cells: Cells) -> str:
    head, *others = cells
    return f'<th scope="row">{head}</th>' + "".join(
        cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in others
    )


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A list of names and what they are, as HTML: no caption and no heads."""
    return '<dl class="facts">\n' + "".join(f"<dt>{name}</dt><dd>{value}</dd>\n" for name, value in rows) + "</dl>\n"


def figure(content: str, caption: str, name: str = "") -> str:
    """`content` with one sentence of what to see in it; both HTML."""
    return f'<figure class="{name}">\n<figcaption>{caption}</figcaption>\n{content}</figure>\n'


def legend(*entries: tuple[str, str]) -> str:
    """(class, text) of each colour."""
    items = "".join(f'<li class="{name}">{words}</li>' for name, words in entries)
    return f'<ul class="legend">{items}</ul>\n'
