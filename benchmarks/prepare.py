"""What must be there before anything is measured: wrk, two CPUs, the peers' own environments."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from app.settings import CHECKOUT
from benchmarks.errors import BenchmarkError
from benchmarks.servers import ENVS

LOCKS = CHECKOUT / "benchmarks" / "peers"
INSTALL = CHECKOUT / "requirements" / "install.sh"
SYSTEM_PYTHON = "/usr/bin/python3"


def two_cpus() -> tuple[str, str]:
    """The numbers of the first two CPUs that we may use: one for the server, one for the client."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise BenchmarkError("Two CPUs are needed, one for the server and one for the client; there is one.")
    return str(cpus[0]), str(cpus[1])


def wrk() -> None:
    """Sees to it that wrk is installed."""
    _debian(lambda: shutil.which("wrk") is not None, "wrk")


def peer(name: str) -> None:
    """Sees to it that the peer has its environment, made from its lock file."""
    lock, folder = LOCKS / f"{name}.txt", ENVS / name
    installed = folder / "installed.txt"
    if installed.exists() and installed.read_text() == lock.read_text():
        return
    sys.stdout.write(f"installing {name}'s packages ...\n")
    if name == "pytriton":  # its stub loads a stock CPython 3.11 with the library beside it, and no other
        _debian(_has_stock_python, "python3", "python3-venv", "libpython3.11")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python = SYSTEM_PYTHON if name == "pytriton" else sys.executable
    done = subprocess.run([INSTALL, lock], cwd=folder, env=os.environ | {"PYTHON": python}, check=False)
    if done.returncode:
        raise BenchmarkError(f"The packages of {name} could not be installed; the lines above say why.")
    installed.write_text(lock.read_text())


def _has_stock_python() -> bool:
    check = "import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))"
    try:
        done = subprocess.run([SYSTEM_PYTHON, "-c", check], stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0 and any(Path("/usr/lib").glob("*/libpython3.11.so.1.0"))


def _debian(present: Callable[[], bool], *packages: str) -> None:
    if present():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *packages]):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if not present():
        raise BenchmarkError(
            f"{packages[0]} is needed: install it (Debian, Ubuntu: apt-get install {' '.join(packages)})"
        )
