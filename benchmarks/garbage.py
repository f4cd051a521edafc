"""`python -m benchmarks.garbage ARGUMENTS`: the service, which says at its end what its garbage collections took.

py-spy can't see them: they belong to whichever line happens to run.
"""

import gc
import runpy
import sys
import time


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

    gc.callbacks.append(note)
    try:
        runpy.run_module("app", run_name="__main__", alter_sys=True)
    finally:
        sys.stderr.write(f"GARBAGE {collections} {seconds}\n")


if __name__ == "__main__":
    main()
