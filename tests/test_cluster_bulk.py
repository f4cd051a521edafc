"""Bulk reading on a Ray cluster of two nodes: whatever ends, a row for each file, and one only.

With 14,000 files, or as many as DIGITS_BULK_FILES says, up to MNIST's 70,000.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.bulk import parquet
from app.bulk.cluster import POISON
from app.images.normalize import normalize
from app.model.model import Model
from benchmarks.nodes import Cluster
from tests.support import CHECKOUT, chunk, encode, png, waiting
from training.dataset import Dataset

pytestmark = pytest.mark.alone

WORKER = "ray::MapWorker"
FILES = int(os.environ.get("DIGITS_BULK_FILES", 14_000))
POISON_BYTES = 200_000_000  # so many take long enough to read that the process can be caught at it
IN_OPEN = 0x20  # from linux/inotify.h
BAD = {"text.png": b"no picture", "empty.png": b"", "cut.png": encode(np.zeros((28, 28), np.uint8))[:60]}


@pytest.fixture(scope="module")
def folder(mnist: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of MNIST by their number, and some files that can't be read."""
    made = tmp_path_factory.mktemp("mnist")
    for number, image in enumerate(pictures_of(mnist)):
        (made / f"{number:05}.png").write_bytes(written(image))
    for name, content in BAD.items():
        (made / name).write_bytes(content)
    return made


def pictures_of(mnist: Dataset) -> NDArray[np.uint8]:
    """Those of the test, and then of the training."""
    return np.concatenate([mnist.x_test, mnist.x_train])[:FILES]


def written(image: NDArray[np.uint8]) -> bytes:
    """`image`, uint8 (28, 28), as a PNG, in a fifth of the time that Pillow takes."""
    rows = np.insert(image, 0, 0, axis=1)  # a filter of 0 before each → (28, 29)
    return png(28, 28, chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)))


@contextmanager
def killing_whoever_reads(path: Path, made: Cluster) -> Iterator[list[int]]:
    """Ends, as the kernel does when there is no memory, each process of the cluster that opens `path`."""
    killed: list[int] = []
    library = ctypes.CDLL(None)
    watch = library.inotify_init()
    assert library.inotify_add_watch(watch, str(path).encode(), IN_OPEN) > 0

    def kill() -> None:
        while os.read(watch, 1024):
            for pid in [pid for node in made.nodes for pid in node.processes(WORKER) if has_open(pid, path)]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    threading.Thread(target=kill, daemon=True).start()
    yield killed


def has_open(pid: int, path: Path) -> bool:
    with suppress(OSError):
        return any(file.readlink() == path for file in Path(f"/proc/{pid}/fd").iterdir())
    return False


def test_each_of_many_files_has_one_row_whatever_is_killed_meanwhile(
    two_nodes: Cluster, folder: Path, mnist: Dataset, shipped: Model, tmp_path: Path
) -> None:
    """All 70,000 of MNIST with DIGITS_BULK_FILES=70000."""
    out = tmp_path / "rows.parquet"
    part = out.with_name(out.name + ".part")
    words = ["app.cli", "read", str(folder), "--out", str(out), "--resume", "--cluster", two_nodes.address]
    began = time.monotonic()
    command = two_nodes.network.words(sys.executable, "-m", *words)
    with subprocess.Popen(command, cwd=CHECKOUT, env=two_nodes.environment) as process:
        wait_for_size(part, 1_000_000)
        process.kill()
    done = part.read_bytes().count(b"\n")
    print(f"{done:,} rows after {time.monotonic() - began:.1f} s")

    poison = folder / f"{FILES * 4 // 7:05}-poison.png"
    poison.touch()
    os.truncate(poison, POISON_BYTES)
    began = time.monotonic()
    with killing_whoever_reads(poison, two_nodes) as killed:
        resumed = two_nodes.run(*words)
    assert resumed.returncode == 1, resumed.stderr
    end = f"{FILES - done:,} read, 4 not: see the column error; {done:,} had a row already.\n"
    print(
        f"{FILES + 4 - done:,} more after {time.monotonic() - began:.1f} s; one file killed {len({*killed})} processes"
    )
    assert len({*killed}) >= 3  # one may have been at it when it was ended for something else

    every = list(parquet.read(out))
    rows = {Path(row["path"]).name: row for row in every}
    assert len(rows) == len(every) == FILES + len(BAD) + 1
    assert resumed.stderr.endswith(end), resumed.stderr
    assert {name for name, row in rows.items() if row["error"]} == {*BAD, poison.name}
    assert rows[poison.name]["error"] == POISON
    expected = shipped(normalize(pictures_of(mnist)))
    names = sorted(name for name, row in rows.items() if row["error"] is None)
    assert [rows[name]["digit"] for name in names] == expected.argmax(axis=1).tolist()
    assert np.abs(np.array([rows[name]["probabilities"] for name in names]) - expected).max() <= 1e-5


def wait_for_size(path: Path, size: int) -> None:
    for _ in waiting("rows", 120):
        if path.exists() and path.stat().st_size > size:
            return


def test_rows_on_standard_output_are_rows_alone(two_nodes: Cluster, tmp_path: Path) -> None:
    command = two_nodes.network.words(sys.executable, "-m", "app.cli", "read", "-", "--cluster", two_nodes.address)
    (tmp_path / "list").write_text("tests/pictures\nLICENSE\nnowhere.png\n")
    with (tmp_path / "list").open() as names:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=two_nodes.environment,
            stdin=names,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head == "path,digit,label,confidence,model,version,warnings,error"
    digits = {row.split(",")[0]: row.split(",")[1] for row in rows}
    pictures = {"tests/pictures/card.jpg": "5", "tests/pictures/note.jpg": "0", "tests/pictures/seven.png": "7"}
    assert digits == {**pictures, "LICENSE": "", "nowhere.png": ""}
    assert done.stderr.splitlines()[-1] == "digits read: 3 read, 2 not: see the column error."
