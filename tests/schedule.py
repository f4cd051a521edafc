"""Which of the processes that run the tests side by side gets which of them: whole files, and the longest first."""

import pytest
from xdist.scheduler import LoadScopeScheduling

# What takes a minute or so each, the longest first: begun at the end, one of them would keep all others waiting.
LONGEST = ("cluster_bulk", "cluster_serving", "cluster_alone", "run", "stops", "readme", "cli", "benchmarks", "server")
RANKS = {f"tests/test_{name}.py": rank for rank, name in enumerate(LONGEST)}


def file_of(nodeid: str) -> str:
    """The file of a test, as `nodeid` has it."""
    return nodeid.partition("::")[0]


def longest_first(items: list[pytest.Item]) -> None:
    """Orders `items` in place; those of a file stay together."""
    items.sort(key=lambda item: RANKS.get(file_of(item.nodeid), len(RANKS)))


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests share what is started for them, and those of the cluster share one: one process has them all."""

    def _split_scope(self, nodeid: str) -> str:
        file = file_of(nodeid)
        return "cluster" if "test_cluster_" in file else file
