"""One target attacked in child processes, watched from outside: what dies, hangs or grows is found."""

import json
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.settings import CHECKOUT
from benchmarks.servers import environment

CHILD = (sys.executable, "-m", "benchmarks.fuzz.child")
START_SECONDS = 120  # TensorFlow on a busy machine
HANG_SECONDS = 20  # without a word: a child says something five times a second
MOST_DEATHS = 20  # of one target; then it is given up
FEWEST = 50  # times that memory was looked at
FLAT = 1.1  # memory, at most, of the second half against the first
TOLD = re.compile(rb"cov: (\d+) ft: (\d+)")
TAIL_BYTES = 2000


@dataclass
class Outcome:
    """What became of a target. `memory`: inputs so far and MiB, again and again; `branches`: None without atheris."""

    name: str
    inputs: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    branches: int | None = None
    memory: list[tuple[int, float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def halves(self) -> tuple[float, float]:
        """The most memory in the first half of the inputs, and in the second, in MiB."""
        first = [mib for inputs, mib in self.memory if inputs <= self.inputs / 2]
        second = [mib for inputs, mib in self.memory if inputs > self.inputs / 2]
        return max(first, default=0.0), max(second, default=0.0)

    @property
    def grew(self) -> bool:
        """Whether the second half took more than FLAT times the first, in a run that is long enough to tell."""
        first, second = self.halves
        return len(self.memory) >= FEWEST and second > FLAT * first


def attack(name: str, inputs: int, seed: int, folder: Path, tell: Callable[[Outcome], None]) -> Outcome:
    """Tries so many inputs on a target, in as many processes as it takes. What is found is written to `folder`.

    `tell` is called with what is known so far, several times a second.
    """
    outcome = Outcome(name)
    folder.mkdir(parents=True, exist_ok=True)
    while outcome.inputs < inputs and len(outcome.findings) < MOST_DEATHS:
        died = _one_child(outcome, inputs - outcome.inputs, seed + len(outcome.findings), folder, tell)
        if died:
            data = _current(folder)
            (folder / "fatal").mkdir(exist_ok=True)
            path = folder / "fatal" / f"{len(outcome.findings)}"
            path.write_bytes(data)
            outcome.findings.append(f"{died}: {path}")
            outcome.inputs += 1
            outcome.memory.clear()  # of another process
    if outcome.grew:
        outcome.findings.append("memory grew from {:.0f} to {:.0f} MiB".format(*outcome.halves))
    return outcome


def _one_child(outcome: Outcome, inputs: int, seed: int, folder: Path, tell: Callable[[Outcome], None]) -> str:
    """Runs until the child ends. Returns how it died, or nothing."""
    before, began = outcome.inputs, time.monotonic()
    command = [*CHILD, outcome.name, str(inputs), str(seed), str(folder)]
    log = folder / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        assert child.stdout
        try:
            patience = START_SECONDS
            while select.select([child.stdout], [], [], patience)[0]:
                line = child.stdout.readline()
                if not line:
                    break
                patience = HANG_SECONDS
                _take(outcome, json.loads(line), before, folder)
                tell(outcome)
            else:
                return f"hangs, for more than {patience} s"
        finally:
            child.kill()
            outcome.seconds += time.monotonic() - began
    outcome.branches = _branches(log) or outcome.branches
    if child.returncode == 0 and outcome.inputs == before + inputs:
        return ""
    return f"dies with status {child.returncode}: {_tail(log)}"


def _take(outcome: Outcome, said: dict[str, Any], before: int, folder: Path) -> None:
    inputs, rss, slowest, found = said["inputs"], said["rss"], said["slowest_ms"], said["findings"]
    outcome.inputs = before + inputs
    outcome.slowest_ms = max(outcome.slowest_ms, slowest)
    if inputs:
        outcome.memory.append((outcome.inputs, rss))
    outcome.findings += [f"{each['what'].strip()}\n  {folder / each['input']}" for each in found]


def _current(folder: Path) -> bytes:
    data = (folder / "current").read_bytes()
    return data[4 : 4 + int.from_bytes(data[:4], "little")]


def _branches(log: Path) -> int | None:
    """What libFuzzer said last of the branches that were taken."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 10_000_000))
        told = TOLD.findall(file.read())
    return int(told[-1][0]) if told else None


def _tail(log: Path) -> str:
    return log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
