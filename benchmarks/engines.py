"""`python -m benchmarks.engines`: either engine's start, speed and memory, of one worker to eight."""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import TypeVar, get_args

from PIL import Image

from app.model.engines import EngineName
from benchmarks import exchanges, photos, prepare, processes
from benchmarks.errors import BenchmarkError
from benchmarks.load import Client
from benchmarks.measure import CONNECTIONS, Run, contender, say
from benchmarks.report import levels, table
from benchmarks.servers import SERVICE, Contender, Server, running

ENGINES: tuple[EngineName, ...] = get_args(EngineName)
STARTS, ROUNDS, SECONDS = 5, 3, 4.0
WORKERS = (1, 2, 4, 8)
WORKERS_TITLES = {workers: f"{workers} worker{'s' * (workers > 1)}" for workers in WORKERS}
MACHINES_MB = (128, 256, 512, 1024, 2048, 4096)
SYSTEM_MB = 64  # of a machine, for its system
AT_ONCE, LARGE = 4, 16  # large pictures: sent at a time, and in all
MEGABYTE = 1e6 / 2**20  # in MiB
Kind = TypeVar("Kind")


def command(engine: EngineName, workers: int = 1) -> tuple[str, ...]:
    """How the service is started."""
    return (*SERVICE.command, "--engine", engine, "--workers", str(workers))


def starts(run: Run) -> dict[EngineName, float]:
    """Seconds from process start to the first right answer, medians of STARTS, in turn."""
    check = run.checking(exchanges.upload(run.images))
    seconds: dict[EngineName, list[float]] = {engine: [] for engine in ENGINES}
    for _ in range(STARTS):
        for engine in ENGINES:
            with running(command(engine), run.server_cpu, run.folder / "start.log") as server:
                seconds[engine].append(server.wait(lambda connection: check(connection, 0)))
    return {engine: median(each) for engine, each in seconds.items()}


def speeds(run: Run) -> None:
    """Figures `<engine>/<connections>/rate` and so on of ROUNDS rounds, in turn; the medians are kept."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for engine in ENGINES:
            contender(run, engine, Contender(engine, command(engine)))
            for name, figure in run.figures.items():
                if name.startswith(f"{engine}/"):
                    found.setdefault(name, []).append(figure)
    run.figures |= {name: median(figures) for name, figures in found.items()}


def memories(run: Run) -> dict[tuple[EngineName, int], float]:
    """In MB, of all processes of the service, after a load at 64 connections. Nothing is pinned."""
    both = f"{run.server_cpu},{run.client_cpu}"
    exchange = exchanges.upload(run.images)
    found = {}
    for engine in ENGINES:
        for workers in WORKERS:
            with running(command(engine, workers), both, run.folder / "memory.log") as server:
                server.wait_ready(workers)
                Client(server, run.requests("upload", exchange), both).run(64, run.seconds)
                found[engine, workers] = processes.memory_alone(server.root) / MEGABYTE
            say(f"  {engine}, {workers} workers: {found[engine, workers]:.0f} MB")
    return found


def peaks(run: Run) -> dict[tuple[EngineName, str], float]:
    """In MB, the most that one worker has taken: sent small pictures, photographs, and the same as PNGs."""
    photographs = list(photos.photographs(run.images[:2]))
    kinds = {
        "28x28": [exchanges.png(run.images[0])],
        "JPEGs of 12 megapixels": photographs,
        "PNGs of 12 megapixels": [_as_png(each) for each in photographs],
    }
    found = {}
    for engine in ENGINES:
        for kind, pictures in kinds.items():
            with running(command(engine), run.server_cpu, run.folder / "peak.log") as server:
                server.wait_ready()
                with ThreadPoolExecutor(AT_ONCE) as threads:
                    list(threads.map(partial(_send, server), (pictures * LARGE)[:LARGE]))
                found[engine, kind] = processes.peak(server.root) / MEGABYTE
            say(f"  {engine}, {kind}: at most {found[engine, kind]:.0f} MB")
    return found


def _as_png(data: bytes) -> bytes:
    """Without the sensor's noise, which would make it larger than the service takes."""
    picture, file = Image.open(BytesIO(data)), BytesIO()
    picture.resize((picture.width // 8, picture.height // 8)).resize(picture.size).save(file, "PNG")
    return file.getvalue()


def _send(server: Server, picture: bytes) -> None:
    with closing(server.connect()) as connection:
        connection.request("POST", "/predict", picture, {"Content-Type": "application/octet-stream"})
        if (status := connection.getresponse().status) != 200:
            raise BenchmarkError(f"A large picture was answered with {status}.")


def by_engine(found: dict[tuple[EngineName, Kind], float], titles: dict[Kind, str]) -> str:
    """A row for each engine, of what was found of each of `titles`."""
    rows = [["engine", *titles.values()]]
    rows += [[f"`{engine}`", *(f"{found[engine, kind]:,.0f}" for kind in titles)] for engine in ENGINES]
    return table(rows)


def speeds_table(run: Run, first: dict[EngineName, float]) -> str:
    """A row for each engine."""
    at = " / ".join(map(str, CONNECTIONS))
    rows = [["engine", "s to the first right answer", f"req/s at {at} connections", "p50 ms", "CPU µs a request"]]
    for engine in ENGINES:
        cells = [levels(run.figures, engine, *what) for what in (("rate", 0), ("p50_ms", 2), ("cpu_us", 0))]
        rows.append([f"`{engine}`", f"{first[engine]:.2f}", *cells])
    return table(rows)


def machines_table(found: dict[tuple[EngineName, int], float]) -> str:
    """How many workers fit on a machine beside its system."""
    rows = [["engine", *(f"{size:,} MB" for size in MACHINES_MB)]]
    for engine in ENGINES:
        taken = [found[engine, workers] for workers in WORKERS]
        rows.append([f"`{engine}`", *(str(fitting(size - SYSTEM_MB, *taken)) for size in MACHINES_MB)])
    return table(rows)


def fitting(room: float, one: float, two: float, *more: float) -> int:
    """How many workers fit into `room` MB, where 1, 2, 4 and 8 take so many. One is a process, more have another that
    starts them; beyond two, each takes the same.
    """
    if room < two:
        return int(room >= one)
    further = (more[-1] - two) / (WORKERS[-1] - WORKERS[1])
    return 2 + int((room - two) // further)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long a level lasts (default: %(default)g)")
    options = parser.parse_args()
    try:
        cpus = prepare.two_cpus()
        prepare.wrk()
        os.sched_setaffinity(0, {int(cpus[1])})
        with tempfile.TemporaryDirectory(prefix="digits-engines-") as folder:
            run = Run(Path(folder), options.seconds, *cpus, soak_requests=0)
            first = starts(run)
            speeds(run)
            found = memories(run)
            most = peaks(run)
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    peak = {kind: kind for _, kind in most}
    say(f"\n{speeds_table(run, first)}\n\nMB of all processes, under load:\n\n{by_engine(found, WORKERS_TITLES)}")
    say(f"\nMB of one worker at its peak, {AT_ONCE} pictures sent at a time:\n\n{by_engine(most, peak)}")
    say(f"\nWorkers that a machine has room for, beside {SYSTEM_MB} MB:\n\n{machines_table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
