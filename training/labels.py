"""What the ten classes are called."""

from pathlib import Path

from app.model.metadata import CLASSES
from training.errors import TrainingError

DIGIT_LABELS = tuple(str(digit) for digit in range(CLASSES))


def read_labels(path: Path) -> tuple[str, ...]:
    """The names of the classes 0..9, from a text file in UTF-8 with one in each line.

    Raises: TrainingError, when it can't be read, or they aren't ten different names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark that says UTF-8
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"Expected a text file in UTF-8 with the names of the classes at {path}: {error}."
        ) from error
    names = tuple(line.strip() for line in text.rstrip().splitlines())
    if len(names) != CLASSES or not all(names):
        raise TrainingError(
            f"Expected {CLASSES} lines with a name in each in {path}; found {len(names)} lines, "
            f"{sum(not name for name in names)} of them empty."
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TrainingError(f"Expected {CLASSES} different names in {path}; found {twice[0]!r} more than once.")
    return names
