"""Debian's HAProxy with deploy/haproxy/haproxy.cfg, as it is, in front of processes of the service."""

import csv
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support import CHECKOUT, waiting

CONFIG = CHECKOUT / "deploy" / "haproxy" / "haproxy.cfg"
PLACES = ("/usr/local/sbin", "/usr/sbin")  # which are on the PATH of root only
MISSING = (
    "The load balancer was not tested, for there is no HAProxy: install it (Debian: apt-get install haproxy), "
    "or name it, as in: HAPROXY=/path/to/haproxy make test"
)


def find_haproxy() -> str | None:
    """Its path, or None: $HAPROXY, or where Debian has it."""
    return os.environ.get("HAPROXY") or shutil.which("haproxy", path=os.pathsep.join((os.environ["PATH"], *PLACES)))


@dataclass
class Balancer:
    """A running HAProxy."""

    url: str
    watch: str
    log: Path

    def servers(self) -> dict[str, dict[str, str]]:
        """What it says of each process, by its name: see 9.1 of HAProxy's management guide."""
        lines = httpx.get(self.watch + "/;csv").text.removeprefix("# ").splitlines()
        return {row["svname"]: row for row in csv.DictReader(lines) if row["pxname"] == "processes"}

    def wait_until(self, name: str, status: str) -> None:
        for _ in waiting(f"process {name} to be {status}"):
            if self.servers()[name]["status"].startswith(status):
                break

    def wait_until_asked(self, name: str, times: int) -> None:
        before = int(self.servers()[name]["stot"])
        for _ in waiting(f"process {name} to be asked {times} times"):
            if int(self.servers()[name]["stot"]) >= before + times:
                break


@contextmanager
def running_balancer(haproxy: str, folder: Path, servers: list[str], **more: str) -> Iterator[Balancer]:
    """In front of `servers`, three addresses. `more`: what else the environment says."""
    log = folder / "haproxy.log"
    with socket.create_server(("127.0.0.1", 0)) as front, socket.create_server(("127.0.0.1", 0)) as watch:
        given = {f"BALANCER_SERVER_{number}": each for number, each in enumerate(servers, start=1)}
        given |= {"BALANCER_LISTEN": f"fd@{front.fileno()}", "BALANCER_WATCH": f"fd@{watch.fileno()}"} | more
        with log.open("w") as file:
            process = subprocess.Popen(
                [haproxy, "-db", "-f", str(CONFIG)],
                env=os.environ | given,
                pass_fds=(front.fileno(), watch.fileno()),
                stdout=file,
                stderr=file,
            )
        url, watch_url = ("http://{}:{}".format(*each.getsockname()) for each in (front, watch))
    try:
        yield Balancer(url, watch_url, log)
    finally:
        process.kill()
        process.wait()
