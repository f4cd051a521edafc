"""Pictures that go together in one request."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from app.client.results import Problem

T = TypeVar("T")

# A photograph goes alone, small files go together: for the client a request costs what ten files of 28x28 cost.
GROUP_FILES, GROUP_BYTES = 128, 2**20
# What may be wrong with some of a group alone: too much, too slow, no picture, one that the service fails at.
OF_THE_FILES = (408, 413, 415, 422, 500)


def in_groups(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """`items` in order, in groups of at most GROUP_FILES and GROUP_BYTES (by `size_of`); what is larger goes alone.

    Takes no item before it is its turn, but for one.
    """
    group: list[T] = []
    total = 0
    for item in items:
        size = size_of(item)
        if group and (len(group) == GROUP_FILES or total + size > GROUP_BYTES):
            yield group
            group, total = [], 0
        group.append(item)
        total += size
    if group:
        yield group


def halves(contents: Sequence[bytes], problem: Problem) -> list[Sequence[bytes]]:
    """What to ask for instead of `contents`, which were refused as a whole by `problem`; nothing, where it is a lone
    file's own. Raises: `problem`, when it has nothing to do with the files.

    So a group fits any service in the end, and no file suffers for another.
    """
    if problem.status not in OF_THE_FILES:
        raise problem
    half = len(contents) // 2
    return [contents[:half], contents[half:]] if half else []
