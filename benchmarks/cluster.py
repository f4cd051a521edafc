"""`python -m benchmarks.cluster`: what Ray costs, a request served and a file read."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.settings import CHECKOUT
from benchmarks import exchanges, prepare, processes
from benchmarks.client import write
from benchmarks.errors import BenchmarkError
from benchmarks.load import Client
from benchmarks.measure import WARM_UP_SECONDS, Run, say
from benchmarks.nodes import MISSING, Cluster, can_make_networks, cluster
from benchmarks.report import table
from benchmarks.servers import SERVICE, environment, running

RAY = (sys.executable, "-m", "app.cluster", "--port", "PORT", "--log-format", "off")
SERVERS = {
    "python -m app": (*SERVICE.command, "--log-format", "off"),
    "Ray, its proxy": RAY,
    "Ray, its HAProxy": ("env", "RAY_SERVE_ENABLE_HA_PROXY=1", *RAY),
}
SECONDS = 4.0
FILES, FEW = 60_000, 2_000
SHARE = 0.6  # of the plain loop's files a CPU second that Ray Data shall do at least
READERS = ("digits read", "on Ray, one node", "on Ray, two nodes")


class Cost(NamedTuple):
    """Of reading some files, the start included: seconds in all, and of CPU time by all that had to do with it."""

    files: int
    seconds: float
    cpu: float

    def beyond(self, other: "Cost") -> "Cost":
        """What the files cost that it has more than `other`: without the start."""
        return Cost(self.files - other.files, self.seconds - other.seconds, self.cpu - other.cpu)


def serving(run: Run) -> list[list[str]]:
    """A row for each server, its CPU one, and the client's another."""
    rows = [["server", "p50 ms, 1 connection", "CPU µs a request, 16 connections", "errors"]]
    exchange = exchanges.upload(run.images)
    for name, command in SERVERS.items():
        with running(command, run.server_cpu, run.folder / "server.log") as server:
            server.wait_ready()
            server.wait(lambda connection: run.checking(exchange)(connection, 0))
            client = Client(server, run.requests("upload", exchange), run.client_cpu)
            client.run(16, WARM_UP_SECONDS)
            one, many = client.run(1, run.seconds), client.run(16, run.seconds)
        run.record(f"{name}, 1", one)
        run.record(f"{name}, 16", many)
        rows.append([name, f"{one.p50_ms:.2f}", f"{many.cpu_us:,.0f}", f"{one.errors + many.errors}"])
    return rows


def reading(folder: Path, files: int, cpus: tuple[str, str], images: exchanges.Images) -> dict[str, Cost]:
    """What `files` PNGs cost `digits read` on one CPU; on Ray with a node on that CPU; and with a node on each."""
    contents = [exchanges.png(image) for image in images]
    many, few = (
        write(folder / name, ".png", (contents[k % len(contents)] for k in range(number)))
        for name, number in (("many", files), ("few", FEW))
    )

    def on_ray(nodes: Cluster) -> Cost:
        _on_ray(few, nodes, cpus[1])  # Ray starts processes that stay
        start = _on_ray(few, nodes, cpus[1])
        return _on_ray(many, nodes, cpus[1]).beyond(start)

    start = _plain(few, cpus[0])
    costs = {READERS[0]: _plain(many, cpus[0]).beyond(start)}
    with cluster(1, pinned=cpus) as nodes:
        costs[READERS[1]] = on_ray(nodes)
        nodes.add(1)
        costs[READERS[2]] = on_ray(nodes)
    for name, cost in costs.items():
        say(f"  {name}: {cost.files} files in {cost.seconds:.1f} s and {cost.cpu:.1f} s of CPU time")
    return costs


def _plain(folder: Path, cpu: str) -> Cost:
    return _read(folder, ["taskset", "-c", cpu, sys.executable, "-m", *_words(folder)], environment(), [])


def _on_ray(folder: Path, nodes: Cluster, cpu: str) -> Cost:
    words = nodes.network.words("taskset", "-c", cpu, sys.executable, "-m", *_words(folder))
    return _read(folder, [*words, "--cluster", nodes.address], dict(nodes.environment), nodes.pids)


def _words(folder: Path) -> list[str]:
    return ["app.cli", "read", str(folder), "--out", str(folder.with_suffix(".csv"))]


def _read(folder: Path, words: list[str], its_environment: dict[str, str], roots: Sequence[int]) -> Cost:
    """`roots`: below which other processes have to do with it, too."""
    meter, began = processes.Meter(roots), time.monotonic()
    meter.start()
    with subprocess.Popen(words, cwd=CHECKOUT, env=its_environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    cpu = usage.ru_utime + usage.ru_stime + meter.seconds()
    files = len(list(folder.iterdir()))
    if not said.endswith(f"digits read: {files:,} read.\n"):
        raise BenchmarkError(f"not all were read: {said}")
    folder.with_suffix(".csv").unlink()
    return Cost(files, seconds, cpu)


def reading_table(costs: dict[str, Cost]) -> list[list[str]]:
    """A row for each way to read."""
    rows = [["files of 28x28 read by", "files a second", "files a CPU second", "of the first"]]
    first = costs[READERS[0]]
    for name, cost in costs.items():
        share = cost.files / cost.cpu / (first.files / first.cpu)
        rows.append([name, f"{cost.files / cost.seconds:,.0f}", f"{cost.files / cost.cpu:,.0f}", f"{share:.0%}"])
    return rows


def is_right(costs: dict[str, Cost]) -> bool:
    """Whether a CPU second on Ray does enough, and two nodes more than one."""
    plain, one, two = (costs[name] for name in READERS)
    return one.files / one.cpu >= SHARE * plain.files / plain.cpu and two.seconds < one.seconds


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster",
        description="Measures the service by itself and on Ray, on one CPU, by wrk on another; then `digits read`, and "
        "the same on a Ray cluster of one node and of two, each with a CPU. Takes five minutes. Linux, root, two CPUs.",
        epilog=f"Exit status: 0; 1 when Ray does less than {SHARE:.0%} of the files a CPU second, or two nodes no more "
        "than one.",
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load (default: %(default)g)")
    parser.add_argument("--files", type=int, default=FILES, help=f"more than {FEW} (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.files <= FEW:
        parser.error(f"--files: expected more than {FEW}, got {options.files}")
    return options


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    options = parse(arguments)
    try:
        if not can_make_networks():
            raise BenchmarkError(MISSING)
        prepare.wrk()
        cpus = prepare.two_cpus()
        with tempfile.TemporaryDirectory(prefix="digits-cluster-") as name:
            run = Run(Path(name), options.seconds, *cpus, 0)
            served = serving(run)
            costs = reading(run.folder, options.files, cpus, run.images)
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    say("\n".join(["", table(served), "", table(reading_table(costs)), *run.noise]))
    return 0 if is_right(costs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
