"""wrk as the client: how it is called, and what it and the server did meanwhile."""

import json
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks import processes
from benchmarks.errors import BenchmarkError
from benchmarks.servers import Server

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Load:
    """What came out of one run of wrk. `stolen` and `other` are shares of one CPU."""

    requests: int
    refused: int  # answered, but not with 2xx or 3xx
    broken: int  # never answered: connection failed, broken or timed out
    wrong: int
    seconds: float
    p50_ms: float
    p99_ms: float
    example: str = ""  # of a wrong answer
    cpu_us: float = 0  # user and system time of the server for each good answer
    stolen: float = 0  # by the machine's host
    other: float = 0  # by neither server nor client

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.requests - self.refused) / self.seconds

    @property
    def errors(self) -> int:
        return self.refused + self.broken + self.wrong


def parse(text: str) -> Load:
    """What wrk.lua's done() has written at the end of `text`."""
    for line in text.splitlines():
        if line.startswith("RESULT "):
            return Load(**json.loads(line.removeprefix("RESULT ")), example=text.partition("\nEXAMPLE ")[2].strip())
    raise BenchmarkError(f"wrk gave no result; it said: {text.strip()[-500:]!r}")


@dataclass
class Client:
    """wrk on its CPUs, against one server and with the requests in one folder."""

    server: Server
    folder: Path
    cpus: str
    milestones: dict[int, Callable[[], object]] = field(default_factory=dict)  # the last of them ends the run

    def run(self, connections: int, seconds: float) -> Load:
        """Loads the server for so long."""
        root, client = self.server.root, _children_cpu()
        server, machine, begin = processes.cpu_seconds(root), processes.machine(), time.monotonic()
        load = parse(self._wrk(connections, seconds))
        server, wall = processes.cpu_seconds(root) - server, time.monotonic() - begin
        client, now = _children_cpu() - client, processes.machine()
        if load.requests == load.refused:
            raise BenchmarkError(f"not one good answer at {connections} connections: {load}")
        return replace(
            load,
            cpu_us=server * 1e6 / (load.requests - load.refused),
            stolen=(now.stolen - machine.stolen) / wall,
            other=max(0.0, now.busy - machine.busy - server - client) / wall,
        )

    def _wrk(self, connections: int, seconds: float) -> str:
        # setpriv: wrk ends with the benchmark, even if that is killed
        command = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", self.cpus, "wrk", "-t1", f"-c{connections}"]
        command += [f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(SCRIPT)]
        command += [f"http://127.0.0.1:{self.server.port}", "--", str(self.folder)]
        command += [str(sum(file.name.isdigit() for file in self.folder.iterdir())), *map(str, self.milestones)]
        text = ""
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:
            assert wrk.stdout
            for line in wrk.stdout:
                text += line
                if line.startswith("answered "):
                    self.milestones[int(line.split()[1])]()
                    if int(line.split()[1]) == max(self.milestones):
                        wrk.send_signal(signal.SIGINT)  # it stops and says what it has measured
        return text


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Watcher(threading.Thread):
    """Asks one thing after the other while wrk loads the server: at most 20 a second, for a twentieth of the time.

    So there is at most one more connection, for that twentieth: too little to be seen in what is measured.
    """

    def __init__(self, server: Server, ask: Callable[[HTTPConnection, int], object]) -> None:
        super().__init__(daemon=True)
        self.asked = 0
        self.failures: list[str] = []
        self.over = threading.Event()
        self._server, self._ask = server, ask

    def run(self) -> None:
        connection, pause = self._server.connect(), 0.0
        while not self.over.wait(pause):
            begin = time.monotonic()
            try:
                self._ask(connection, self.asked)
            except (OSError, HTTPException, ValueError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
            self.asked += 1
            pause = max(0.05, 19 * (time.monotonic() - begin))
            if pause > 1:
                connection.close()  # before the server does, as uvicorn after 5 s; the next request opens it again
        connection.close()


@contextmanager
def watching(server: Server, ask: Callable[[HTTPConnection, int], object]) -> Iterator[Watcher]:
    """Asks `ask(connection, number)` as long as the block runs. It raises when an answer is wrong, and so does this."""
    watcher = Watcher(server, ask)
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.over.set()
        watcher.join()
    if watcher.failures:
        raise BenchmarkError(f"{len(watcher.failures)} wrong answers under load, the first: {watcher.failures[0]}")
