"""The servers that can be measured, and how each is started and ended."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from app.model.runtime import ENVIRONMENT
from app.model.versions import choose_version
from app.settings import CHECKOUT, PREFIX, Settings
from benchmarks import processes
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import TIMEOUT_SECONDS, Exchange, Images, triton, upload

MODEL = choose_version(Settings().model_dir, None)
ENVS = CHECKOUT / "benchmarks" / ".envs"
START_SECONDS = 60


@dataclass(frozen=True)
class Contender:
    """A server: its name in the table, its command with PORT in the place of the port, and what is to know of it."""

    title: str
    command: tuple[str, ...]
    note: str = ""
    exchange: Callable[[Images], Exchange] = upload
    checked: bool = True  # a floor has nothing to be checked


def _peer(name: str, *command: str) -> tuple[str, ...]:
    return (str(ENVS / name / ".venv" / "bin" / command[0]), *command[1:])


def _uvicorn(module: str) -> tuple[str, ...]:
    options = ("--port", "PORT", "--no-access-log", "--log-level", "warning")
    return (sys.executable, "-m", "uvicorn", f"benchmarks.contenders.{module}:app", *options)


SERVICE = Contender("this service", (sys.executable, "-m", "app", "--port", "PORT"), "default settings")
OWN = {
    "floor-asgi": Contender("floor: bare ASGI on uvicorn, a constant", _uvicorn("floor_asgi"), checked=False),
    "floor-fastapi": Contender("floor: FastAPI + UploadFile, a constant", _uvicorn("floor_fastapi"), checked=False),
    "tutorial": Contender("tutorial: `model.predict` a request", _uvicorn("tutorial"), "`def` route, TFSMLayer"),
    "reference": Contender("reference: FastAPI + UploadFile + signature", _uvicorn("reference"), "`async def` route"),
    "service": SERVICE,
    "litert": Contender("this service, `DIGITS_ENGINE=litert`", (*SERVICE.command, "--engine", "litert")),
}
PEERS = {
    "litserve": Contender(
        "LitServe",
        _peer("litserve", "python", "-m", "benchmarks.contenders.litserve_peer", "PORT"),
        "max_batch_size 64, batch_timeout 2 ms, one worker, fast_queue (faster than without at 1 and 16 connections)",
    ),
    "bentoml": Contender(
        "BentoML",
        _peer("bentoml", "bentoml", "serve", "benchmarks.contenders.bentoml_peer:Digits", "--port", "PORT"),
        "batchable, max_batch_size 64, max_latency 1000 ms, one worker, access log off",
    ),
    "pytriton": Contender(
        "PyTriton",
        _peer("pytriton", "python", "-m", "benchmarks.contenders.pytriton_peer", "PORT"),
        "max_batch_size 64, dynamic batcher, queue delay 0.5 ms, metrics and gRPC off; raw float32 in, as Triton reads "
        "neither PNG nor forms",
        exchange=triton,
    ),
}


def environment() -> dict[str, str]:
    """For every server alike: TensorFlow as the service starts it, and no setting of the service but its defaults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "PYTHON"))}
    return kept | ENVIRONMENT | {"SAVED_MODEL": str(MODEL), "BENTOML_DO_NOT_TRACK": "True"}


@dataclass(frozen=True)
class Server:
    """A running server. `root` is its keeper: everything below that is the server's."""

    port: int
    root: int
    started: float  # time.monotonic
    log: Path

    def connect(self) -> HTTPConnection:
        """A connection that is opened with the first request."""
        return HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)

    def wait(self, right: Callable[[HTTPConnection], object]) -> float:
        """Asks until `right` raises nothing. Returns the seconds since the start."""
        failure: Exception | None = None
        while time.monotonic() - self.started < START_SECONDS and processes.descendants(self.root):
            connection = self.connect()
            try:
                right(connection)
                return time.monotonic() - self.started
            except (OSError, HTTPException, ValueError) as error:
                failure = error
            finally:
                connection.close()
            time.sleep(0.02)  # asking more often would take time from the start
        last = self.log.read_text(errors="replace").strip()[-400:]
        raise BenchmarkError(f"the server gave no right answer ({failure}); its log ends:\n{last}")

    def wait_ready(self, workers: int = 1) -> float:
        """Until /readyz says so, and as many workers as wanted have said in the log that they are. For this service."""
        seconds = self.wait(_ready)
        while workers > 1 and self.log.read_text().count(" ready: ") < workers:
            if time.monotonic() - self.started > START_SECONDS:
                raise BenchmarkError(f"not all of {workers} workers were ready after {START_SECONDS} s.")
            time.sleep(0.05)
        return seconds


def _ready(connection: HTTPConnection) -> None:
    connection.request("GET", "/readyz")
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise ValueError(f"/readyz says {response.status}")


@contextmanager
def running(command: tuple[str, ...], cpus: str, log: Path) -> Iterator[Server]:
    """Starts `command` on a free port and on `cpus` alone (as taskset has them); ends all of it afterwards."""
    port = _free_port()
    words = ["taskset", "-c", cpus, *(word.replace("PORT", str(port)) for word in command)]
    with log.open("w") as file:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.keeper", *words],
            cwd=CHECKOUT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            start_new_session=True,  # Ctrl-C is for the benchmark, which ends its servers itself
        )
    assert keeper.stdin
    assert keeper.stdout
    try:
        yield Server(port, keeper.pid, float(keeper.stdout.readline()), log)
    finally:
        with suppress(BrokenPipeError):
            keeper.stdin.close()
        keeper.wait()
        keeper.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
