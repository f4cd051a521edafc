"""What processes use, read from /proc."""

import os
import re
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
