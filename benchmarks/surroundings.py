"""What a result depends on: the machine, and the versions of what was measured."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.settings import CHECKOUT
from benchmarks.prepare import LOCKS
from benchmarks.servers import MODEL

OWN_PACKAGES = ["tensorflow-cpu", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "python-multipart"]
OWN_PACKAGES += ["pillow", "numpy", "orjson", "ai-edge-litert"]
PEER_PACKAGES = {"litserve": "litserve", "bentoml": "bentoml", "pytriton": "nvidia-pytriton"}


def describe(peers: Iterable[str]) -> list[str]:
    """Some lines, without a path or the name of the machine."""
    return [
        f"machine: {os.cpu_count()} CPUs ({_cpu()}), Linux {platform.release()}",
        f"code: {_commit()}; model: {MODEL.parent.name} version {MODEL.name}",
        f"Python {platform.python_version()}, {_wrk()}, " + ", ".join(map(_own, OWN_PACKAGES)),
        *(f"{name}: {', '.join(_locked(name))}" for name in peers),
    ]


def _cpu() -> str:
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return names[0] if names else platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown (no git)"


def _wrk() -> str:
    done = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return " ".join((done.stdout or done.stderr).split()[:2])


def _own(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def _locked(peer: str) -> list[str]:
    """The versions that matter, from the lock file."""
    lock = (LOCKS / f"{peer}.txt").read_text()
    names = (PEER_PACKAGES[peer], "tensorflow-cpu", "uvicorn")
    found = (re.search(rf"^{name}==(\S+)", lock, re.M) for name in names)
    return [match[0].replace("==", " ") for match in found if match]
