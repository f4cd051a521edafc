"""`python -m benchmarks.keeper COMMAND...` runs it until standard input closes, then ends it and all it has started.

Standard input closes too when the benchmark is killed, however that happens: so no server is ever left behind. Prints
the time of the start (time.monotonic's, the same in all processes) and nothing else.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from benchmarks.processes import descendants

PR_SET_CHILD_SUBREAPER = 36  # from linux/prctl.h: orphans among our descendants become our children
PATIENCE_SECONDS = 8


def keep(command: list[str]) -> None:
    """Runs `command`, its output to our standard error."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    started = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    sys.stdout.write(f"{started}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE_SECONDS)
    while left := descendants(os.getpid()):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)


if __name__ == "__main__":
    keep(sys.argv[1:])
