"""How a page of results comes into the checkout: whole or not at all."""

from pathlib import Path

from app.settings import CHECKOUT
from benchmarks.measure import say


def publish(path: Path, text: str) -> None:
    """Replaces the file in one step."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
    say(f"written: {path.relative_to(CHECKOUT)}")
