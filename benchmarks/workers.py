"""What a second worker adds, and what a second CPU of this machine can add at all."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import mean, median

from app.settings import CHECKOUT
from benchmarks import exchanges, processes
from benchmarks.errors import BenchmarkError
from benchmarks.load import Client, watching
from benchmarks.measure import WARM_UP_SECONDS, Run, say
from benchmarks.servers import SERVICE, environment, running

ROUNDS, TURN_SECONDS = 7, 1.0  # of each CPU alone, and both


def workers(run: Run) -> None:
    """Two workers against one at 64 connections, nothing pinned: server and client share both CPUs."""
    both = f"{run.server_cpu},{run.client_cpu}"
    exchange = exchanges.upload(run.images)
    for number in (1, 2):
        command = (*SERVICE.command, "--workers", str(number))
        with running(command, both, run.folder / f"workers-{number}.log") as server:
            server.wait_ready(number)
            client = Client(server, run.requests("upload", exchange), both)
            with watching(server, run.checking(exchange)):
                client.run(64, WARM_UP_SECONDS)
                run.record(f"workers/{number}", client.run(64, run.seconds))
            run.figures[f"workers/{number}/pss_mb"] = processes.memory(server.root).pss
    run.figures["workers/two-cpus"] = two_cpus(run)


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
