"""`python -m benchmarks.garbage ARGUMENTS`: the service, which says what its garbage collections have taken.

py-spy can't see them: they belong to whichever line happens to run.
"""

import gc
import os
import runpy
import sys
import time

SIGN = "GARBAGE"


def collected(said: str) -> tuple[int, float]:
    """How many collections there were, and their seconds, from what the service `said` on standard error."""
    collections, seconds = said.rpartition(f"{SIGN} ")[2].split()[:2]
    return int(collections), float(seconds)


def main() -> None:
    """Counts from the moment the service has frozen its heap: what it collects at its start is no request's."""
    begun, seconds, collections = 0.0, 0.0, 0

    def note(phase: str, _: dict[str, int]) -> None:
        nonlocal begun, seconds, collections
        if phase == "start":
            begun = time.perf_counter()
        elif gc.get_freeze_count():
            seconds += time.perf_counter() - begun
            collections += 1
            _say(collections, seconds)

    _say(collections, seconds)
    gc.callbacks.append(note)
    runpy.run_module("app", run_name="__main__", alter_sys=True)


def _say(collections: int, seconds: float) -> None:
    """At each collection, as nothing runs at the service's end: it leaves by `os._exit`."""
    os.write(sys.stderr.fileno(), f"{SIGN} {collections} {seconds:.6f}\n".encode())


if __name__ == "__main__":
    main()
