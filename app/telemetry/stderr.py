"""Standard error, without ever waiting for who reads it.

A pipe that nobody reads takes 64 KiB. Then whoever writes to it stands still, and with it every request.
"""

import asyncio
import atexit
import errno
import logging
import os
import select
import stat
import sys
import threading
import time
from collections import deque
from contextlib import suppress

from app.telemetry.metrics import LOST_LINES

log = logging.getLogger("digits")

CHUNK_BYTES = select.PIPE_BUF  # so many go into a pipe in one piece, whoever else writes to it
KEPT_BYTES = 1 << 20  # of what isn't taken: some 12,000 lines of requests
AGAIN_SECONDS = 0.05
# what a kernel before 6.4 says of a write to a pipe that shall not wait
UNKNOWN = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE)
PATIENCE_SECONDS = 0.2  # where no event loop is that could try again: at the start, and at the end


class Stderr:
    """Writes lines to the file `fd` as far as it takes them, keeps the rest, and tries again. From any thread.

    What is more than KEPT_BYTES is dropped. It is counted, and told of once the rest is out.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd = fd  # None once it is closed
        mode = _mode(fd)
        self._always_takes = stat.S_ISREG(mode)
        self._says_at_once = stat.S_ISFIFO(mode) and hasattr(os, "RWF_NOWAIT")
        self._poll = select.poll()
        if fd is not None:
            self._poll.register(fd, select.POLLOUT)
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._stands = False  # nothing was taken last time
        self._lost = 0  # lines, and nobody was told
        self._lock = threading.RLock()  # `finish` is also called with it held
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_try: asyncio.AbstractEventLoop | None = None  # in this loop, unless it ends before

    def write(self, lines: str) -> None:
        """`lines`: each with its line break."""
        data = lines.encode("utf-8", "backslashreplace")
        with self._lock:
            if self._fd is None or self._kept_bytes + len(data) > KEPT_BYTES:
                self._lose(data)
            else:
                self._keep(data)
                self._put_all()
                if self._kept:
                    self._try_again()
        self._tell_of_losses()

    def finish(self) -> None:
        """Writes what is kept, as far as it is taken within PATIENCE_SECONDS. The rest is lost."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._lock:
            while self._kept and time.monotonic() < deadline:
                self._put_all()
                if self._kept:
                    time.sleep(PATIENCE_SECONDS / 20)
            self._lose_all()

    def _keep(self, data: bytes) -> None:
        self._kept_bytes += len(data)
        while len(data) > CHUNK_BYTES and not self._always_takes:
            end = data.rfind(b"\n", 0, CHUNK_BYTES) + 1 or CHUNK_BYTES  # no line is torn that needn't be
            self._kept.append(data[:end])
            data = data[end:]
        self._kept.append(data)

    def _put_all(self) -> None:
        """Puts out what is taken now."""
        try:
            while self._kept:
                chunk = self._kept[0]
                written = self._put(chunk)
                self._stands = False
                self._kept_bytes -= written
                if written == len(chunk):
                    self._kept.popleft()
                else:
                    self._kept[0] = chunk[written:]
        except BlockingIOError:
            self._stands = True
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EBADF):  # whoever read it is gone, or it is closed
                self._fd = None
            self._stands = True  # a full disk may have room again
            self._lose_all()

    def _put(self, chunk: bytes) -> int:
        """How many bytes of `chunk` went out. Raises: BlockingIOError, when none can now."""
        assert self._fd is not None
        if self._says_at_once:  # which poll() can't promise: another worker may take the last room in between
            try:
                return os.pwritev(self._fd, (chunk,), -1, os.RWF_NOWAIT)
            except OSError as error:
                if error.errno not in UNKNOWN:
                    raise
                self._says_at_once = False
        if not self._always_takes and not self._poll.poll(0):
            raise BlockingIOError
        return os.write(self._fd, chunk)

    def _try_again(self) -> None:
        with suppress(RuntimeError):  # another thread, or no loop runs in this process
            self._loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed():
            self.finish()
        elif self._next_try is not self._loop:
            self._next_try = self._loop
            self._loop.call_soon_threadsafe(self._loop.call_later, AGAIN_SECONDS, self._again)

    def _again(self) -> None:
        with self._lock:
            self._next_try = None
            self._put_all()
            if self._kept:
                self._try_again()
        self._tell_of_losses()

    def _lose_all(self) -> None:
        self._lose(b"".join(self._kept))
        self._kept.clear()
        self._kept_bytes = 0

    def _lose(self, data: bytes) -> None:
        lines = data.count(b"\n")
        self._lost += lines
        LOST_LINES.inc(lines)

    def _tell_of_losses(self) -> None:
        """Once all that was kept is out. Not under the lock: `logging` has one of its own."""
        if self._lost and not self._kept and not self._stands and self._fd is not None:
            lost, self._lost = self._lost, 0
            log.warning("%d log lines lost: standard error did not take them", lost)


def _mode(fd: int | None) -> int:
    """What kind of file it is; 0 for none."""
    try:
        return 0 if fd is None else os.fstat(fd).st_mode
    except OSError:
        return 0


# Python has none where the process was started without: what has its number then is another file
STDERR = Stderr(2 if sys.__stderr__ is not None else None)
atexit.register(STDERR.finish)
