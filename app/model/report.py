"""The report of a version: a page that its training wrote."""

from pathlib import Path

FILE = Path("report") / "index.html"
MAX_BYTES = 8 * 1024 * 1024  # some 0.1 MB as written here: what is far larger is kept out of memory


def read_report(version: Path) -> bytes | None:
    """The page in the folder `version`; None when there is none, or what is there can't be read or is too large."""
    try:
        with (version / FILE).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= MAX_BYTES else None
