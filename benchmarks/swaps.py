"""`python -m benchmarks.swaps`: versions come and go while the service answers as much as it can.

Each answer is checked against the version that it names: all versions have the same weights, but the classes of each
are turned by its number.
"""

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import normalize
from app.model import saved_model
from app.model.metadata import CLASSES
from benchmarks import exchanges, prepare, processes
from benchmarks.checking import Checker
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import Exchange, Floats
from benchmarks.measure import say
from benchmarks.servers import MODEL, SERVICE, Server, running
from training.export import export

PICTURES = 256
WARM_UP_SECONDS = 2
AROUND_SECONDS = 1  # before and after a swap
SWAP_SECONDS = 20  # within which one must be seen
MEMORY_AFTER = 5  # swaps


class Folder:
    """A model folder, and what its versions answer."""

    def __init__(self, root: Path) -> None:
        self.path, self._store = root / "swapped", root / "store"
        self.path.mkdir()
        model = saved_model.load(MODEL)
        network = model._network
        if network is None:
            raise BenchmarkError(f"{MODEL} is not of the kind whose weights are known.")
        self._base = model(normalize(exchanges.load_images()[:PICTURES]))
        for turn in range(CLASSES):
            weights = [network.w1, network.b1, np.roll(network.w2, turn, axis=1), np.roll(network.b2, turn)]
            export(weights, self._store / str(turn))
            document = {name: model.metadata.document[name] for name in ("labels", "fit")}
            (self._store / str(turn) / "metadata.json").write_text(json.dumps(document))

    def publish(self, number: int) -> None:
        """Version `number` appears whole."""
        incoming = shutil.copytree(self._store / str(number % CLASSES), self.path / ".incoming", copy_function=_copy)
        incoming.rename(self.path / str(number))

    def remove(self, number: int) -> None:
        """Version `number` is gone."""
        shutil.rmtree(self.path / str(number))

    def expected(self, number: int) -> Floats:
        """The probabilities of `number`, float32 (PICTURES, 10)."""
        return np.roll(self._base, number % CLASSES, axis=1)


def _copy(source: str, target: str) -> None:
    Path(target).write_bytes(Path(source).read_bytes())  # with a time of its own: it is another version


@dataclass
class Swaps:
    """What is done to the folder while the service is under load, and when."""

    folder: Folder
    checker: Checker
    server: Server
    number: int
    pause_s: float
    moments: list[float] = field(default_factory=list)  # of the first answer by another version
    waits_s: list[float] = field(default_factory=list)  # from the change of the folder to that
    rss: dict[int, float] = field(default_factory=dict)  # after how many swaps, MiB
    failure: str = ""

    def run(self) -> None:
        """Two versions appear, and the second of them is removed again; and so on."""
        versions = [1]
        for count in range(1, self.number + 1):
            time.sleep(self.pause_s)
            if count % 3:
                versions.append(versions[-1] + 1)
                self.folder.publish(versions[-1])
            else:
                self.folder.remove(versions.pop())
            if not self._is_seen(versions[-1]):
                self.failure = f"version {versions[-1]} didn't answer within {SWAP_SECONDS} s"
                return
            if count in (MEMORY_AFTER, self.number):
                time.sleep(AROUND_SECONDS + 1)  # until the old one is let go of
                self.rss[count] = processes.memory(self.server.root).rss
        time.sleep(self.pause_s)

    def _is_seen(self, version: int) -> bool:
        begin, known = time.perf_counter(), len(self.checker.seen.changes)
        while time.perf_counter() - begin < SWAP_SECONDS:
            if len(self.checker.seen.changes) > known and self.checker.version == version:
                self.moments.append(self.checker.seen.changes[known][0])
                self.waits_s.append(self.moments[-1] - begin)
                return True
            time.sleep(0.01)
        return False


def checking(exchange: Exchange, folder: Folder) -> Callable[[int, int, bytes], None]:
    """Checks an answer against the version that it names."""
    return lambda k, version, body: exchange.check(k, body, folder.expected(version))


def near(moments: list[float]) -> Callable[[NDArray[np.float64]], NDArray[np.bool_]]:
    """Which of some times are around one of `moments`."""

    def chosen(times: NDArray[np.float64]) -> NDArray[np.bool_]:
        distance = np.full(len(times), np.inf)
        for moment in moments:
            np.minimum(distance, np.abs(times - moment), out=distance)
        return distance <= AROUND_SECONDS

    return chosen


def measure(server: Server, folder: Folder, options: argparse.Namespace) -> int:
    """Quiet first, then with swaps. Prints what it finds, and returns the exit status."""
    exchange = exchanges.upload(exchanges.load_images()[:PICTURES])
    check = checking(exchange, folder)
    requests = exchange.requests()

    def load(over: Callable[[], bool], checker: Checker | None = None) -> Checker:
        checker = checker or Checker(server.port, requests, check)
        checker.run(options.connections, over)
        return checker

    load(after(WARM_UP_SECONDS))
    quiet = load(after(options.quiet)).seen
    checker = Checker(server.port, requests, check)
    swaps = Swaps(folder, checker, server, options.swaps, options.pause)
    moving = threading.Thread(target=swaps.run, daemon=True)
    moving.start()
    load(lambda: not moving.is_alive(), checker)
    report(swaps, quiet.latencies_ms(lambda times: times > 0))
    return 1 if swaps.failure or checker.seen.failed or checker.seen.wrong or quiet.failed or quiet.wrong else 0


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds are over, from now on."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def report(swaps: Swaps, quiet: NDArray[np.float64]) -> None:
    """What is to be known, a line each."""
    seen, around = swaps.checker.seen, near(swaps.moments)
    within, outside = seen.latencies_ms(around), seen.latencies_ms(lambda times: ~around(times))
    say(f"swaps: {len(swaps.moments)}, each {np.median(swaps.waits_s):.2f} s after the folder's change (median)")
    say(f"answers: {len(seen.ends):,}, failed {seen.failed}, wrong {seen.wrong} {seen.example}")
    places = {"quiet": quiet, f"more than {AROUND_SECONDS} s away from a swap": outside, "around swaps": within}
    for place, latencies in places.items():
        say(f"{place}: p99 {np.percentile(latencies, 99):.2f} ms, worst {latencies.max():.1f} ms")
    say("RSS: " + ", ".join(f"{rss:.1f} MiB after {count} swaps" for count, rss in swaps.rss.items()))
    if swaps.failure:
        say(swaps.failure)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swaps", description="Versions come and go under load.")
    parser.add_argument("--swaps", type=int, default=50, help="how many (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="of the load (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between swaps (default: %(default)s)")
    parser.add_argument("--quiet", type=float, default=8.0, help="seconds without swaps before (default: %(default)s)")
    return parser.parse_args()


def main() -> int:
    """Returns the exit status."""
    options = parse()
    server_cpu, client_cpu = prepare.two_cpus()
    os.sched_setaffinity(0, {int(client_cpu)})
    with tempfile.TemporaryDirectory(prefix="digits-swaps-") as root:
        folder = Folder(Path(root))
        folder.publish(1)
        gc.collect()
        gc.freeze()  # TensorFlow's objects would stop the client
        command = (*SERVICE.command, "--model-dir", str(folder.path))
        with running(command, server_cpu, Path(root) / "service.log") as server:
            server.wait_ready()
            return measure(server, folder, options)


if __name__ == "__main__":
    sys.exit(main())
