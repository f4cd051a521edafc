"""`python -m benchmarks.client [FILES PHOTOS]`: what `digits read` takes itself, beside the service that it asks."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from app.settings import CHECKOUT
from benchmarks import prepare, processes
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import load_images, png
from benchmarks.measure import say
from benchmarks.photos import photographs
from benchmarks.servers import SERVICE, Server, environment, running

FILES, PHOTOS, DIFFERENT_PHOTOS = 2000, 60, 8
LIMIT = 0.3  # of the service's CPU time, with photographs


class Cost(NamedTuple):
    """Of one run of the command. CPU seconds, its start included, and seconds in all."""

    command: float
    service: float
    seconds: float

    @property
    def ratio(self) -> float:
        return self.command / max(self.service, 1 / processes.TICKS_PER_SECOND)


def read(folder: Path, server: Server, cpu: str) -> Cost:
    """Has `digits read` read the folder, on its own CPU, and sees that each file has its row."""
    out = folder.with_suffix(".csv")
    words = ["taskset", "-c", cpu, sys.executable, "-m", "app.cli", "read", str(folder), "--out", str(out)]
    words += ["--url", f"http://127.0.0.1:{server.port}"]
    before, begin = processes.cpu_seconds(server.root), time.monotonic()
    with subprocess.Popen(words, cwd=CHECKOUT, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begin
    service = processes.cpu_seconds(server.root) - before
    if said != f"digits read: {len(list(folder.iterdir())):,} read.\n":
        raise BenchmarkError(f"not all were read: {said}")
    return Cost(usage.ru_utime + usage.ru_stime, service, seconds)


def write(folder: Path, suffix: str, contents: Iterable[bytes]) -> Path:
    """A folder of files."""
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"{number:06}{suffix}").write_bytes(content)
    return folder


def main(files: int, photos: int) -> int:
    """Returns the exit status: 1 when the command takes more than its limit."""
    server_cpu, client_cpu = prepare.two_cpus()
    with tempfile.TemporaryDirectory(prefix="digits-client-") as name:
        folder, images = Path(name), load_images()
        taken = photographs(images[:DIFFERENT_PHOTOS])
        small = write(folder / "small", ".png", (png(images[k % len(images)]) for k in range(files)))
        large = write(folder / "photos", ".jpg", (taken[k % len(taken)] for k in range(photos)))
        warm = write(folder / "warm", ".png", [png(images[0])])
        with running(SERVICE.command, server_cpu, folder / "log") as server:
            server.wait_ready()
            read(warm, server, client_cpu)
            _report(f"{files:,} PNGs of 28x28", files, read(small, server, client_cpu))
            cost = read(large, server, client_cpu)
            _report(f"{photos} photographs of 12 megapixels", photos, cost)
    return 1 if cost.ratio > LIMIT else 0


def _report(what: str, files: int, cost: Cost) -> None:
    say(
        f"{what}: {files / cost.seconds:,.0f} files/s; CPU of the command {cost.command:.2f} s "
        f"({1e6 * cost.command / files:,.0f} µs a file), of the service {cost.service:.2f} s "
        f"({1e6 * cost.service / files:,.0f}): {cost.ratio:.0%}"
    )


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])) if len(sys.argv) > 2 else main(FILES, PHOTOS))
