"""What is measured, a function each. All of them write into one run."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import numpy as np

from app.settings import CHECKOUT
from benchmarks import exchanges, processes
from benchmarks.bad_requests import bad_requests
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import Exchange, Floats, Images
from benchmarks.load import Client, Load, watching
from benchmarks.servers import MODEL, SERVICE, Contender, Server, environment, running

CONNECTIONS = (1, 16, 64)
WARM_UP_SECONDS = 2
BULK_CONNECTIONS = 4
SOAK_SECONDS = 600  # at the most
START_PAIRS = 5
NOISE = 0.05  # of a CPU: what is worth a note
BARE_START = "import sys, tensorflow; tensorflow.saved_model.load(sys.argv[1]); print('loaded', flush=True)"
Check = Callable[[HTTPConnection, int], object]  # raises when the answer to body number k is wrong


@dataclass
class Run:
    """One run of the benchmarks: its conditions, and what it has found so far.

    `figures` holds every number under a name such as `service/64/rate`; `noise` what else the machine did.
    """

    folder: Path
    seconds: float
    server_cpu: str
    client_cpu: str
    soak_requests: int
    images: Images = field(default_factory=exchanges.load_images)
    expected: Floats = field(init=False)
    figures: dict[str, float] = field(default_factory=dict)
    noise: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        np.save(self.folder / "images.npy", self.images)
        self.in_process(0)
        self.expected = np.load(self.folder / "expected.npy")

    def in_process(self, seconds: float) -> float:
        """Images a second of the signature alone, on the server's CPU."""
        command = ["taskset", "-c", self.server_cpu, sys.executable, "-m", "benchmarks.inprocess"]
        command += [str(self.folder), str(seconds)]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout)

    def requests(self, name: str, exchange: Exchange, with_id: bool = False) -> Path:
        """The folder with the requests of `exchange` for wrk, written once."""
        folder = self.folder / name
        return folder if folder.exists() else exchange.write(folder, with_id)

    def checking(self, exchange: Exchange) -> Check:
        """Asks for body number k, counted on from the last to the first again, and checks the answer."""

        def check(connection: HTTPConnection, k: int) -> None:
            k %= len(exchange.bodies)
            exchange.check(k, exchange.ask(connection, k), self.expected)

        return check

    def record(self, name: str, load: Load, factor: int = 1) -> None:
        """Takes over the figures of one load and prints them; `factor` pictures went with each request."""
        self.figures |= {
            f"{name}/rate": load.rate * factor,
            f"{name}/p50_ms": load.p50_ms,
            f"{name}/p99_ms": load.p99_ms,
            f"{name}/cpu_us": load.cpu_us / factor,
            f"{name}/errors": load.errors,
        }
        said = f"  {name:<20} {load.rate * factor:>9,.0f}/s   p50 {load.p50_ms:.2f}   p99 {load.p99_ms:.2f} ms   "
        said += f"{load.cpu_us / factor:.1f} µs CPU   errors {load.errors}"
        if max(load.stolen, load.other) > NOISE:
            noise = f"{load.stolen:.0%} of a CPU taken by the host, {load.other:.0%} used by other programs"
            self.noise.append(f"{name}: {noise}")
            said += f"   ({noise})"
        say(said)
        if load.wrong:
            raise BenchmarkError(f"{load.wrong} wrong answers at {name}, one of them: {load.example}")


def say(line: str) -> None:
    """Progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def contender(run: Run, name: str, server: Contender) -> None:
    """One server at all numbers of connections."""
    exchange = server.exchange(run.images)
    check = run.checking(exchange) if server.checked else exchange.ask
    with running(server.command, run.server_cpu, run.folder / f"{name}.log") as process:
        seconds = process.wait(lambda connection: check(connection, 0))
        run.figures[f"{name}/start_s"] = seconds
        say(f"  {server.title}: first right answer after {seconds:.2f} s")
        checked = _check_before(process, exchange, check)
        client = Client(process, run.requests(server.exchange.__name__, exchange), run.client_cpu)
        with watching(process, check) if server.checked else nullcontext() as watcher:
            client.run(16, WARM_UP_SECONDS)
            for connections in CONNECTIONS:
                run.record(f"{name}/{connections}", client.run(connections, run.seconds))
        run.figures[f"{name}/pss_mb"] = processes.memory(process.root).pss
        if watcher:
            run.figures[f"{name}/checked"] = checked + watcher.asked


def _check_before(server: Server, exchange: Exchange, check: Check) -> int:
    """Without any load, a sixteenth of the pictures: all of them would take the tutorial two minutes."""
    numbers = range(0, len(exchange.bodies), 16)
    connection = server.connect()
    try:
        for k in numbers:
            check(connection, k)
    except ValueError as error:
        raise BenchmarkError(f"a wrong answer before any load: {error}") from error
    finally:
        connection.close()
    return len(numbers)


def bulk(run: Run) -> None:
    """Many pictures a request, one CPU; and the same number a call in the process itself."""
    kinds = {
        "png": (exchanges.png_batch(run.images), exchanges.PNG_BATCH),
        "raw-json": (exchanges.raw_batch(run.images, floats=False), exchanges.RAW_BATCH),
        "raw-floats": (exchanges.raw_batch(run.images, floats=True), exchanges.RAW_BATCH),
    }
    with running(SERVICE.command, run.server_cpu, run.folder / "bulk.log") as server:
        server.wait_ready()
        for name, (exchange, size) in kinds.items():
            check = run.checking(exchange)
            _check_before(server, exchange, check)
            client = Client(server, run.requests(name, exchange), run.client_cpu)
            with watching(server, check):
                client.run(BULK_CONNECTIONS, WARM_UP_SECONDS)
                run.record(f"bulk/{name}", client.run(BULK_CONNECTIONS, run.seconds), size)
    run.figures["bulk/in-process/rate"] = run.in_process(run.seconds / 2)
    say(f"  {'bulk/in-process':<20} {run.figures['bulk/in-process/rate']:>9,.0f}/s")


def soak(run: Run) -> None:
    """Memory over many requests, every answer checked, and bad requests in between."""
    folder = run.requests("soak", exchanges.upload(run.images), with_id=True)
    lines = [f"{row.argmax()} {' '.join(map(str, row))}" for row in run.expected]
    (folder / "expected.txt").write_text("\n".join(lines))
    sizes: dict[str, processes.Memory] = {}
    with running(SERVICE.command, run.server_cpu, run.folder / "soak.log") as server:
        server.wait_ready()

        def note(name: str) -> Callable[[], None]:
            return lambda: sizes.update({name: processes.memory(server.root)})

        milestones: dict[int, Callable[[], object]] = {
            run.soak_requests // 15: note("before"),
            run.soak_requests: note("after"),
        }
        bad = bad_requests(run.images[0])
        with watching(server, lambda connection, k: bad[k % len(bad)].send(connection)) as watcher:
            load = Client(server, folder, run.client_cpu, milestones).run(64, SOAK_SECONDS)
    run.record("soak", load)
    if "after" not in sizes:
        raise BenchmarkError(f"only {load.requests} of the soak's {run.soak_requests} requests in {SOAK_SECONDS} s")
    run.figures |= {f"soak/{when}/{kind}": size for when in sizes for kind, size in sizes[when]._asdict().items()}
    run.figures |= {"soak/requests": load.requests, "soak/bad": watcher.asked}
    before, after = sizes["before"], sizes["after"]
    say(f"  {load.requests:,} right answers, {watcher.asked} bad requests; Pss {before.pss:.1f} → {after.pss:.1f} MiB")


def start(run: Run) -> None:
    """Process start to /readyz 200, in turn with an interpreter that imports TensorFlow, loads the model."""
    service, bare = [], []
    for _ in range(START_PAIRS):
        bare.append(_bare_start(run.server_cpu))
        with running(SERVICE.command, run.server_cpu, run.folder / "start.log") as server:
            service.append(server.wait_ready())
    run.figures |= {"start/service": median(service), "start/bare": median(bare)}
    say(f"  start: {median(service):.2f} s, a bare interpreter {median(bare):.2f} s")


def _bare_start(cpu: str) -> float:
    command = ["taskset", "-c", cpu, sys.executable, "-c", BARE_START, str(MODEL)]
    begin = time.monotonic()
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout
        if process.stdout.readline() != b"loaded\n":
            raise BenchmarkError("a bare interpreter could not load the model.")
        return time.monotonic() - begin
