"""`python -m benchmarks.fuzz.child TARGET INPUTS SEED FOLDER`: attacks one target, in a process that may die of it.

Each input is put into FOLDER/current before it is tried, so that whoever finds this process dead, or silent, knows of
which. A line of JSON on standard output every now and then says how far it is, and what was found.
"""

import ctypes
import hashlib
import json
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, NoReturn

CURRENT_BYTES = 1024 * 1024
MAX_BYTES = 65_536  # of an input
SLOW_SECONDS = 1.0  # in the best of TRIES
TRIES = 3
REPORT_SECONDS = 0.2
POOL, POOLED = 1000, 0.02  # without atheris: what was made is changed again, so many, with this probability
INSTRUMENTED = ["app", "PIL", "python_multipart"]
PAGE = os.sysconf("SC_PAGE_SIZE")
# libFuzzer shall not meddle with signals, and sets no limits: we do. Lengths are as the seeds'.
SIGNALS = ("segv", "abrt", "bus", "fpe", "ill", "int", "term", "xfsz", "usr1", "usr2")
LIBFUZZER = [f"-handle_{name}=0" for name in SIGNALS]
LIBFUZZER += ["-timeout=0", "-rss_limit_mb=0", "-len_control=0", f"-max_len={MAX_BYTES}"]


class Attempts:
    """Tries inputs, one by one, and keeps count."""

    def __init__(self, run: Callable[[bytes], None], inputs: int, folder: Path) -> None:
        self._run = run
        self._left = inputs
        self._folder = folder
        self._known: set[str] = set()
        self._said = time.monotonic()
        self._status: dict[str, Any] = {"inputs": 0, "slowest_ms": 0.0, "findings": []}
        with (folder / "current").open("w+b") as file:
            file.truncate(CURRENT_BYTES)
            self._current = mmap.mmap(file.fileno(), CURRENT_BYTES)
        self._say()

    def one(self, data: bytes) -> None:
        """Tries `data`, and ends the process after the last."""
        data = data[:MAX_BYTES]
        self._current[: 4 + len(data)] = len(data).to_bytes(4, "little") + data
        began, used = time.monotonic(), time.process_time()
        try:
            self._run(data)
        except Exception as error:  # noqa: BLE001 - this is what we are looking for
            self._note(_place(error), traceback.format_exc(limit=-12), data)
        seconds, used_ms = time.monotonic() - began, 1e3 * (time.process_time() - used)
        if used_ms > self._status["slowest_ms"]:
            self._status["slowest_ms"] = used_ms
            (self._folder / "slowest").write_bytes(data)
        if seconds > SLOW_SECONDS and (best := min(self._again(data) for _ in range(TRIES - 1))) > SLOW_SECONDS:
            self._note("slow", f"{best:.1f} s", data)
        self._status["inputs"] += 1
        self._left -= 1
        if not self._left:
            self._end()
        if time.monotonic() - self._said > REPORT_SECONDS:
            self._say()

    def _again(self, data: bytes) -> float:
        """The seconds it takes, but for those in which others had the CPU."""
        began = time.monotonic() - _waited_s()
        with suppress(Exception):
            self._run(data)
        return time.monotonic() - _waited_s() - began

    def _note(self, place: str, what: str, data: bytes) -> None:
        if place not in self._known:
            self._known.add(place)
            name = hashlib.sha256(data).hexdigest()[:16]
            (self._folder / name).write_bytes(data)
            self._status["findings"].append({"what": what, "input": name})

    def _say(self) -> None:
        self._said = time.monotonic()
        self._status["rss"] = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20
        sys.stdout.write(json.dumps(self._status) + "\n")
        sys.stdout.flush()
        self._status["findings"] = []

    def _end(self) -> NoReturn:
        self._say()
        os._exit(0)  # libFuzzer would go on


def _waited_s() -> float:
    """How long this process's threads have been ready to go on, and had no CPU, so far (proc(5): schedstat)."""
    waited = 0.0
    for thread in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # it has just ended
            waited += 1e-9 * int(thread.read_text().split()[1])
    return waited


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {frame.filename}:{frame.lineno}"


def by_random(
    attempts: Attempts, mutate: Callable[[bytes, Random], bytes], seeds: Sequence[bytes], seed: int
) -> NoReturn:
    """The seeds, then what becomes of them, blindly."""
    random = Random(seed)
    pool = list(seeds)
    for data in seeds:
        attempts.one(data)
    while True:
        data = mutate(random.choice(pool), random)[:MAX_BYTES]
        if random.random() < POOLED:
            at = len(seeds) + random.randrange(POOL)
            pool[at : at + 1] = [data]
        attempts.one(data)


def along_branches(
    attempts: Attempts, mutate: Callable[[bytes, Random], bytes], seeds: Sequence[bytes], seed: int, folder: Path
) -> NoReturn:
    """What reaches new branches of the code is changed further: by libFuzzer, and by what knows the format, in turn."""
    import atheris

    for number, data in enumerate(seeds):
        (folder / "seeds").mkdir(exist_ok=True)
        (folder / "seeds" / str(number)).write_bytes(data)

    def mutator(data: bytes, max_size: int, number: int) -> bytes:
        random = Random(number)
        changed = mutate(data, random) if random.random() < 0.7 else atheris.Mutate(data, max_size)
        return changed[:max_size]

    is_ready = False

    def one(data: bytes) -> None:
        nonlocal is_ready
        if not is_ready:  # at the first input, because atheris sets both when it begins
            signal.setitimer(signal.ITIMER_REAL, 0)  # TensorFlow can't bear a clock's signals
            atheris._trace_cmp = released(atheris._trace_cmp)
            is_ready = True
        attempts.one(data)

    atheris.Setup([sys.argv[0], *LIBFUZZER, f"-seed={seed + 1}", str(folder / "seeds")], one, custom_mutator=mutator)
    atheris.Fuzz()
    raise AssertionError("libFuzzer has ended")


def released(compare: Callable[..., object]) -> Callable[..., object]:
    """atheris 3.0 holds on to the result of each comparison that it watches: of arrays, to all their memory."""
    release = ctypes.pythonapi.Py_DecRef
    release.argtypes, release.restype = [ctypes.py_object], None

    def compare_and_release(*arguments: object) -> object:
        result = compare(*arguments)
        if type(result) is not bool:
            release(result)
        return result

    result = compare(_Odd(), _Odd(), 2, 0, False)  # ==
    return compare if sys.getrefcount(result) == sys.getrefcount([]) + 1 else compare_and_release


class _Odd:
    """Equal to another in a list of ways."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> list[object]:  # type: ignore[override]
        return [self, other]


def main(name: str, inputs: int, seed: int, folder: Path) -> NoReturn:
    """Attacks."""
    has_atheris = find_spec("atheris") is not None
    if has_atheris:
        import atheris

        with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
            from benchmarks.fuzz.targets import TARGETS
    else:
        from benchmarks.fuzz.targets import TARGETS

    from app.backroom import Backroom

    # where others have the CPU, a thread that steps back gets none
    Backroom._step_back = lambda self: None  # type: ignore[method-assign]
    target = TARGETS[name]
    seeds = list(target.seeds())
    attempts = Attempts(target.prepare(), inputs, folder)

    def mutate(data: bytes, random: Random) -> bytes:
        return target.mutator(data, random, seeds)

    if has_atheris:
        along_branches(attempts, mutate, seeds, seed, folder)
    by_random(attempts, mutate, seeds, seed)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
