"""What a second worker adds, and what a second CPU of this machine can add at all."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import mean, median

from app.model.batcher import ENOUGH
from app.settings import CHECKOUT
from benchmarks import exchanges, processes
from benchmarks.errors import BenchmarkError
from benchmarks.load import Client, Load, watching
from benchmarks.measure import WARM_UP_SECONDS, Run, say
from benchmarks.servers import SERVICE, environment, running

CONNECTIONS = (64, 2 * ENOUGH)  # as in the rest of the run; and what lets two workers fill their calls as well as one
PAIRS = 5  # of one worker and two, each started anew
ROUNDS, TURN_SECONDS = 7, 1.0  # of each CPU alone, and both


def workers(run: Run) -> None:
    """Two workers against one, in turn, nothing pinned: server and client share both CPUs."""
    loads: dict[tuple[int, int], list[Load]] = {(number, level): [] for level in CONNECTIONS for number in (1, 2)}
    exchange = exchanges.upload(run.images)
    for turn in range(PAIRS):
        say(f"  turn {turn + 1} of {PAIRS}")
        for number in (1, 2):
            for level, load in zip(CONNECTIONS, _loads(run, number, exchange), strict=True):
                loads[number, level].append(load)
    for (number, level), found in loads.items():
        run.record(f"workers/{number}/{level}", sorted(found, key=lambda load: load.rate)[PAIRS // 2])
    run.figures["workers/two-cpus"] = two_cpus(run)


def _loads(run: Run, number: int, exchange: exchanges.Exchange) -> list[Load]:
    """So many workers at all numbers of connections."""
    both = f"{run.server_cpu},{run.client_cpu}"
    with running((*SERVICE.command, "--workers", str(number)), both, run.folder / f"workers-{number}.log") as server:
        server.wait_ready(number)
        client = Client(server, run.requests("upload", exchange), both)
        with watching(server, run.checking(exchange)):
            client.run(CONNECTIONS[0], WARM_UP_SECONDS)
            loads = [client.run(level, run.seconds / 2) for level in CONNECTIONS]
        run.figures[f"workers/{number}/pss_mb"] = processes.memory(server.root).pss
    return loads


def two_cpus(run: Run) -> float:
    """How much more both CPUs do than one of them, without server or client: 2 where neither hinders the other.

    The CPUs of a virtual machine may be two threads of one core, which then share all that it has. The median of
    rounds, in which each works alone before both do.
    """
    with ExitStack() as stack:
        one, other = (stack.enter_context(_working(run, cpu)) for cpu in (run.server_cpu, run.client_cpu))
        rounds = [sum(_turn(one, other)) / mean(_turn(one) + _turn(other)) for _ in range(ROUNDS)]
    say(f"  without a server, both CPUs against one: {median(rounds):.2f} ({min(rounds):.2f} to {max(rounds):.2f})")
    return median(rounds)


def _turn(*working: subprocess.Popen[str]) -> list[float]:
    """Pictures a second of each, at the same time."""
    for process in working:
        assert process.stdin
        process.stdin.write(f"{TURN_SECONDS}\n")
        process.stdin.flush()
    return [float(_line(process)) for process in working]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    if line := process.stdout.readline():
        return line
    raise BenchmarkError(f"benchmarks.no_server ended with status {process.wait()}.")


@contextmanager
def _working(run: Run, cpu: str) -> Iterator[subprocess.Popen[str]]:
    """A worker's work on that CPU, without a server around it."""
    command = ["taskset", "-c", cpu, sys.executable, "-m", "benchmarks.no_server", str(run.folder)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            _line(process)
            yield process
        finally:
            process.kill()
