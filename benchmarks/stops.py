"""`python -m benchmarks.stops [ROUNDS]`: stops the service under full load, and kills a worker of it."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import prepare, processes
from benchmarks.crowd import Crowd, predict
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import load_images, png
from benchmarks.measure import say
from benchmarks.servers import SERVICE, running

ROUNDS, CONNECTIONS = 20, 64
LOAD_SECONDS, PATIENCE_SECONDS = 1.0, 30.0
EXPECTED = b'"digit":7'  # the first picture of MNIST's test set


@contextmanager
def under_load(workers: int, drain_s: float, cpus: str, log: Path) -> Iterator[tuple[Crowd, int]]:
    """The service with so many workers, a crowd that has asked for a while, and the number of its first process."""
    options = ("--workers", str(workers), "--drain-seconds", str(drain_s))
    with running((*SERVICE.command, *options), cpus, log) as server:
        server.wait_ready()
        crowd = Crowd(server.port, predict(png(load_images()[0])), EXPECTED, CONNECTIONS)
        crowd.start()
        time.sleep(LOAD_SECONDS)
        yield crowd, processes.descendants(server.root)[0]
        crowd.end()


def stop(workers: int, drain_s: float, cpus: str, log: Path) -> tuple[Crowd, float]:
    """One SIGTERM under full load: what became of the requests, and the seconds from the signal to the end."""
    with under_load(workers, drain_s, cpus, log) as (crowd, first):
        begin = time.monotonic()
        os.kill(first, signal.SIGTERM)
        while not processes.has_ended(first):
            if time.monotonic() - begin > PATIENCE_SECONDS:
                raise BenchmarkError("it doesn't end")
            time.sleep(0.005)
        return crowd, time.monotonic() - begin


def kill(cpus: str, log: Path) -> tuple[Crowd, float]:
    """SIGKILL of one of two workers: what became of the requests, and the seconds until another was ready."""
    with under_load(2, 0, cpus, log) as (crowd, first):
        workers = [pid for pid in processes.descendants(first) if "spawn_main" in _command(pid)]
        begin = time.monotonic()
        os.kill(workers[0], signal.SIGKILL)
        while log.read_text().count(" ready: ") < 3:
            if time.monotonic() - begin > PATIENCE_SECONDS:
                raise BenchmarkError(f"no worker took its place:\n{log.read_text()[-1000:]}")
            time.sleep(0.02)
        seconds = time.monotonic() - begin
        crowd.end()
        return crowd, seconds


def _command(pid: int) -> str:
    return (processes.PROC / f"{pid}/cmdline").read_text()


def main(rounds: int) -> int:
    """Returns the exit status: 1 when a request was lost or answered wrongly."""
    server_cpus = "0" if (os.cpu_count() or 1) < 2 else ",".join(prepare.two_cpus())
    failed = 0
    with tempfile.TemporaryDirectory(prefix="digits-stops-") as folder:
        log = Path(folder) / "log"
        for workers in (1, 2):
            ends = [stop(workers, 0, server_cpus, log) for _ in range(rounds)]
            failed += _report(f"SIGTERM, {workers} worker{'s' * (workers > 1)}", ends, "until the end")
        kills = [kill(server_cpus, log) for _ in range(max(1, rounds // 5))]
        _report("SIGKILL of one of 2 workers", kills, "until another was ready")
    return 1 if failed else 0


def _report(title: str, ends: list[tuple[Crowd, float]], until: str) -> int:
    answered = sum(crowd.statuses[b"200"] for crowd, _ in ends)
    lost = sum(crowd.lost for crowd, _ in ends)
    wrong = sum(crowd.wrong + crowd.answered - crowd.statuses[b"200"] for crowd, _ in ends)
    say(
        f"{title}, {len(ends)} times: {answered:,} requests answered, {lost} never answered, {wrong} wrong; "
        f"at most {max(seconds for _, seconds in ends):.2f} s {until}"
    )
    return lost + wrong


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
