"""A Ray cluster of several nodes on this machine, in a network of its own that nothing outside can reach."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from app.settings import CHECKOUT
from benchmarks.errors import BenchmarkError
from benchmarks.processes import descendants

T = TypeVar("T")

START_SECONDS = 120  # a node on a busy machine
MISSING = "Ray was not tested on a cluster, for no network namespace can be made: that takes Linux, root and iproute2."
CLONE_NEWNET = 0x40000000  # from linux/sched.h
OUTSIDE = "192.0.2.1"  # of a network card that leads nowhere
HEAD, PORT = "10.77.0.1", 6379
MOST = 4  # nodes
STORE_BYTES = 80_000_000
# Ray's own ports, the same on each machine, would be in each other's way on one.
APART = {"RAY_SERVE_WORKER_PROXY_HTTP_PORT": "8001", "RAY_SERVE_WORKER_PROXY_GRPC_PORT": "9001"}


def can_make_networks() -> bool:
    """Whether `network` works here."""
    if sys.platform != "linux" or not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode == 0


@dataclass
class Network:
    """A network namespace. `holder` is a process in it that does nothing."""

    holder: int

    def words(self, *command: str) -> list[str]:
        """`command`, run in it."""
        return ["nsenter", "--net", "--target", str(self.holder), *command]

    def enter(self) -> None:
        """From now on this thread opens its connections there. Not for the main thread, which would stay there."""
        with Path(f"/proc/{self.holder}/ns/net").open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def inside(self, work: Callable[[], T]) -> T:
        """What `work` gives, done there in a thread."""
        results: list[T] = []
        failures: list[BaseException] = []

        def run() -> None:
            try:
                self.enter()
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised below
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return results[0]


@contextmanager
def network(*addresses: str) -> Iterator[Network]:
    """A network namespace whose loopback has `addresses`, too, and which has a card with the address OUTSIDE."""
    card = f"ip link add card type veth peer name far; ip address add {OUTSIDE}/24 dev card; "
    card += "ip link set card up; ip link set far up; ip route add default dev card; "
    ready = "".join(f"ip address add {each}/32 dev lo; " for each in addresses)
    script = f"ip link set lo up; {ready}{card}echo; exec sleep 1000"
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        try:
            yield Network(holder.pid)
        finally:
            holder.kill()


@dataclass
class Node:
    """A machine of the cluster: `ray start` with all that it has started."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """Ends all of it at once, as when a machine loses its power."""
        for pid in [*descendants(self.process.pid), self.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def processes(self, title: str) -> list[int]:
        """Those of its processes whose title begins so."""
        return [pid for pid in descendants(self.process.pid) if title_of(pid).startswith(title)]


def title_of(pid: int) -> str:
    """What Ray has written over the command of its process; empty, if it is no more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@dataclass
class Cluster:
    """Nodes in a network of their own."""

    network: Network
    folder: Path
    environment: Mapping[str, str]
    stack: ExitStack
    nodes: list[Node] = field(default_factory=list)
    address: str = f"{HEAD}:{PORT}"
    pinned: Sequence[str] = ()  # the CPUs of each node, as taskset has them; all, if there are none

    @property
    def pids(self) -> list[int]:
        """The processes below which all of it is."""
        return [node.process.pid for node in self.nodes]

    def start(self, *cpus: int) -> None:
        """A node for each of `cpus`. The first is the head; the others come as soon as it can be asked."""
        head, *others = cpus
        self._launch(head)
        _wait_until(self._can_be_asked, "the head")
        for each in others:
            self._launch(each)
        for node in self.nodes:
            self._wait_for(node)

    def add(self, cpus: int) -> None:
        """Another node."""
        self._wait_for(self._launch(cpus))

    def _can_be_asked(self) -> bool:
        with suppress(OSError):
            self.network.inside(lambda: socket.create_connection((HEAD, PORT)).close())
            return True
        return False

    def _launch(self, cpus: int) -> Node:
        number = len(self.nodes)
        address = HEAD.removesuffix("1") + str(number + 1)
        log = self.folder / f"node-{address}.log"
        place = ["--head", "--port", str(PORT), "--temp-dir", str(self.folder)]
        place += ["--include-dashboard", "false"]
        if self.nodes:
            place = ["--address", self.address]
        words = ["taskset", "-c", self.pinned[number]] if self.pinned else []
        words += [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--node-ip-address", address, *place]
        words += ["--num-cpus", str(cpus), "--object-store-memory", str(STORE_BYTES)]
        environment = {**self.environment, **(APART if self.nodes else {})}
        with log.open("w") as file:
            process = subprocess.Popen(
                self.network.words(*words), cwd=CHECKOUT, env=environment, stdout=file, stderr=file
            )
        node = Node(address, process, log)
        self.stack.callback(node.kill)
        self.nodes.append(node)
        return node

    def _wait_for(self, node: Node) -> None:
        def is_up() -> bool:
            if node.process.poll() is not None:
                raise BenchmarkError(f"a node of the cluster has ended:\n{node.log.read_text()}")
            return "Ray runtime started" in node.log.read_text()

        _wait_until(is_up, "a node")

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command of this project on the head, to its end; `more`: what else is in its environment."""
        command = self.network.words(sys.executable, "-m", *words)
        return subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


@contextmanager
def cluster(*cpus: int, pinned: Sequence[str] = ()) -> Iterator[Cluster]:
    """A cluster with a node for each of `cpus`, which is how many it is to say it has."""
    addresses = [HEAD.removesuffix("1") + str(number + 1) for number in range(MOST)]
    with ExitStack() as stack:
        # sockets lie there, whose paths must be short
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)))
        made = Cluster(stack.enter_context(network(*addresses)), folder, environment(folder), stack, pinned=pinned)
        made.start(*cpus)
        yield made


def _wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"waited {START_SECONDS} s for {what} of the cluster.")
        time.sleep(0.02)


def environment(folder: Path) -> dict[str, str]:
    """For all that has to do with Ray here: its home is `folder`, and none of the service's settings is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DIGITS_", "RAY_"))}
    token = folder / "token"
    token.write_text("0123456789abcdef" * 4)
    return kept | {
        "HOME": str(folder),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # as the service has it where it starts Ray itself
        "RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0",  # all replicas are to be asked through one address
    }
