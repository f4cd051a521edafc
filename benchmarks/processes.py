"""What processes use, read from /proc."""

import os
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def descendants(root: int) -> list[int]:
    """The processes below `root`, without itself."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = children.get(root, [])
    for pid in found:  # grows as we go
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of all below `root`, and of what they have waited for."""
    ticks = sum(int(ticks) for pid in descendants(root) if (fields := _stat(pid)) for ticks in fields[11:15])
    return ticks / TICKS_PER_SECOND


class Meter(threading.Thread):
    """The CPU time of all below `roots` from now on, also of those that end meanwhile and that nobody waits for.

    It looks ten times a second: what a process uses after the last look at it is not seen.
    """

    def __init__(self, roots: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._roots, self._over = roots, threading.Event()
        self._before: dict[tuple[int, str], float] = {}
        self._used: dict[tuple[int, str], float] = {}
        self._look()
        self._before = dict(self._used)

    def run(self) -> None:
        while not self._over.wait(0.1):
            self._look()

    def seconds(self) -> float:
        """Ends it."""
        self._over.set()
        self.join()
        self._look()
        return sum(self._used.values()) - sum(self._before.values())

    def _look(self) -> None:
        for root in self._roots:
            for pid in descendants(root):
                if fields := _stat(pid):
                    started = fields[19]  # the number of a process may be used again
                    self._used[pid, started] = sum(map(int, fields[11:13])) / TICKS_PER_SECOND


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or nothing but its status is left."""
    fields = _stat(pid)
    return not fields or fields[0] == "Z"


class Memory(NamedTuple):
    """In MiB. Pss counts a page that several processes share once, in parts; Rss in full for each."""

    pss: float
    rss: float


def memory(root: int) -> Memory:
    """Of all below `root`."""
    total = {"Pss": 0, "Rss": 0}
    for pid in descendants(root):
        with suppress(OSError):  # it has just ended
            for name, kib in re.findall(r"^(Pss|Rss): +(\d+) kB", (PROC / f"{pid}/smaps_rollup").read_text(), re.M):
                total[name] += int(kib)
    return Memory(total["Pss"] / 1024, total["Rss"] / 1024)


def memory_alone(root: int) -> float:
    """In MiB, what all below `root` take on a machine of their own: what is shared, with whomever, counts once.

    That is the largest share of one of them; Pss would give a part of it to others that run beside them here.
    """
    own, shared = 0, [0]
    for pid in descendants(root):
        with suppress(OSError):  # it has just ended
            found = re.findall(r"^(Private|Shared)_\w+: +(\d+) kB", (PROC / f"{pid}/smaps_rollup").read_text(), re.M)
            own += sum(int(kib) for kind, kib in found if kind == "Private")
            shared.append(sum(int(kib) for kind, kib in found if kind == "Shared"))
    return (own + max(shared)) / 1024


def peak(root: int) -> float:
    """In MiB, the most that all below `root` have had resident at a time, each for itself."""
    total = 0
    for pid in descendants(root):
        with suppress(OSError):  # it has just ended
            total += sum(map(int, re.findall(r"^VmHWM:\s+(\d+)", (PROC / f"{pid}/status").read_text(), re.M)))
    return total / 1024


class Machine(NamedTuple):
    """CPU seconds of the whole machine: used by processes, and taken away by the host."""

    busy: float
    stolen: float


def machine() -> Machine:
    """Since the machine started."""
    user, nice, system, _idle, _wait, interrupts, soft, stolen = map(int, (PROC / "stat").read_text().split()[1:9])
    return Machine((user + nice + system + interrupts + soft) / TICKS_PER_SECOND, stolen / TICKS_PER_SECOND)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/pid/stat after the name, which may hold blanks and brackets; nothing if it has ended."""
    try:
        return (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
