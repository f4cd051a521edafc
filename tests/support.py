"""What several tests need: the service as a process, pictures as bytes, a forward pass in NumPy."""

import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.images.essentials import PNG_SIGNATURE

CHECKOUT = Path(__file__).resolve().parent.parent
SHIPPED = CHECKOUT / "models" / "mnist_mlp"
# What people read of the project: each file with its text, and all of them as one.
DOCUMENTS = {
    path: path.read_text(encoding="utf-8") for path in (CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md"))
}
MANUAL = "\n".join(DOCUMENTS.values())
# The newest in README's table: what people have trained here since is not for the tests to judge.
SHIPPED_VERSIONS = dict(re.findall(r"^\| (\d+) \| `.*\| ([\d.]+)% \|$", MANUAL, re.M))
SHIPPED_VERSION = max(map(int, SHIPPED_VERSIONS))
SEVEN = CHECKOUT / "tests" / "pictures" / "seven.png"
# An option of the service: it starts in 0.5 s, where TensorFlow takes 3. For tests of what is the same with either.
LITERT = ("--engine", "litert")
START_SECONDS = 60  # TensorFlow on a busy machine


def encode(image: NDArray[Any] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes, depth: int = 8, colour: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IEND", b"")


def band(digit: int) -> NDArray[np.uint8]:
    """A 28x28 picture that the tiny model reads as `digit`: two white rows in one of ten places."""
    image = np.zeros((28, 28), np.uint8)
    image[4 + 2 * digit : 6 + 2 * digit] = 255
    return image


def forward(weights: list[NDArray[np.float32]], pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """relu(x·W1 + b1)·W2 + b2 → softmax, in NumPy: owes nothing to TensorFlow."""
    w1, b1, w2, b2 = weights
    logits = np.maximum(pixels @ w1 + b1, 0) @ w2 + b2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    answer: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return answer


def free_port() -> int:
    """One on which something is to start, or to start again: of those that nobody gets who doesn't ask for it."""
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)  # what Linux chooses itself begins with 32768, elsewhere higher
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def resident_bytes(pid: int | None = None) -> int:
    """Of the process `pid`, or of this one."""
    pages = Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def assert_same(got: Any, expected: Any) -> None:
    """Equal but for ids, and for what TensorFlow differs by between machines and batches: 1e-5."""
    if isinstance(expected, dict):
        assert list(got) == list(expected)
        for name in expected.keys() - {"request_id"}:
            assert_same(got[name], expected[name])
    elif isinstance(expected, list | tuple):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, float):
        assert got == pytest.approx(expected, abs=1e-5)
    else:
        assert got == expected


def waiting(what: str, seconds: float = START_SECONDS) -> Iterator[None]:
    """Goes round, a hundred times a second, until the caller breaks off or the time is over: then it fails."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what}")


@dataclass
class Service:
    """A running `python -m app`."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def stop(self, number: int, timeout_s: float = 20) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def wait_until_ready(self, workers: int = 1) -> None:
        """Waits for /readyz, and until so many workers have said that they are ready."""
        for _ in waiting("the service to be ready"):
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            try:
                ready = httpx.get(self.url + "/readyz", timeout=5).status_code == 200
                if ready and len(re.findall("(?<!not )ready: ", self.log.read_text())) >= workers:
                    return
            except httpx.TransportError:
                pass


def workers_of(service: Service) -> list[int]:
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


@contextmanager
def running_service(folder: Path, *options: str, wait: bool = True) -> Iterator[Service]:
    """The service as people start it, on a free port, its log in `folder`."""
    log = folder / "service.log"
    command = [sys.executable, "-m", "app", "--port", "0", *options]
    environment = os.environ | {"TMPDIR": str(folder)}
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=file, stderr=file, text=True, start_new_session=True
        )
    try:
        service = Service(process, _address(process, log), log)
        if wait:
            service.wait_until_ready()
        yield service
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers, too
        process.wait()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    for _ in waiting("the service to say where it listens"):
        if found := re.search(r"listening on (http://[\w.:\[\]-]+)", log.read_text()):
            return found[1]
        assert process.poll() is None, f"it ended:\n{log.read_text()}"
    raise AssertionError
