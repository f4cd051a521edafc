"""A request's body, received within limits of bytes, time and memory."""

import asyncio
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from starlette.requests import Request

from app.errors import Overloaded, TooManyBytes, TooSlow
from app.settings import Settings

# What a process holds of bodies that are still arriving: 13 of the largest, or half a million of small pictures.
ARRIVING_BYTES = 256 * 1024 * 1024
# A body that doesn't declare its length waits in a file, and in memory only in pieces of this size, until it is there:
# 10 GB of it, cut at the limit, cost 3 MB of memory instead of 45.
PIECE_BYTES = 1024 * 1024

# Files may have to wait for a disk. One thread does for all, and what concerns a file is done in order.
_files = ThreadPoolExecutor(1, "bodies")


class Arriving:
    """Counts the bytes of all bodies that are on their way, for one process."""

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes`: at least what one request may have."""
        self._max_bytes = max_bytes
        self._bytes = 0

    def add(self, received: int) -> None:
        """Raises: Overloaded, when there is too much; it is counted all the same, until `release`."""
        self._bytes += received
        if self._bytes > self._max_bytes:
            raise Overloaded("Too many bytes of other requests are arriving; try again in a second.")

    def release(self, received: int) -> None:
        """Those of a body that is there, or will never be."""
        self._bytes -= received


async def read_body(request: Request, settings: Settings) -> bytes:
    """The whole body: its declared length is looked at first, and what really comes is counted all the same.

    Raises: TooManyBytes, TooSlow, Overloaded; ClientDisconnect, when the client goes away in the middle.
    """
    limit = settings.max_upload_bytes
    body = _Body(request.app.state.arriving, limit, declared=_is_declared(request, limit))
    try:
        spent_s = time.perf_counter() - request.scope["state"]["started"]
        async with asyncio.timeout(settings.receive_seconds - spent_s):
            async for chunk in request.stream():
                await body.add(chunk)
            return await body.whole()
    except TimeoutError as error:
        expected = f"Expected the whole body within {settings.receive_seconds:g} seconds"
        raise TooSlow(f"{expected}; received {body.received} bytes by then.") from error
    finally:
        body.close()


def _is_declared(request: Request, limit: int) -> bool:
    """Whether the length is known. Raises: TooManyBytes, when it is over the limit."""
    declared = request.headers.get("content-length", "")
    if not declared.isdecimal():
        return False
    # who writes more than twenty digits means much; and Python refuses to read thousands of them
    if int(declared[:20]) > limit:
        raise TooManyBytes(f"Expected a body of at most {limit} bytes; received one that declares {declared[:20]}.")
    return True


class _Body:
    """The part of a body that is there."""

    def __init__(self, arriving: Arriving, max_bytes: int, *, declared: bool) -> None:
        self.received = 0
        self._arriving = arriving
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._file = None if declared else _File()

    async def add(self, chunk: bytes) -> None:
        """Raises: TooManyBytes, Overloaded."""
        self.received += len(chunk)
        self._arriving.add(len(chunk))
        if self.received > self._max_bytes:
            raise TooManyBytes(f"Expected a body of at most {self._max_bytes} bytes; received more.")
        self._pieces.append(chunk)
        if self._file and self.received - self._file.size >= PIECE_BYTES and await self._file.write(self._pieces):
            self._pieces = []

    async def whole(self) -> bytes:
        if self._file and self._file.size:
            self._pieces.insert(0, await self._file.read())
        return b"".join(self._pieces)

    def close(self) -> None:
        self._arriving.release(self.received)
        if self._file:
            self._file.close()


class _File:
    """The first `size` bytes of a body, in a file without a name."""

    def __init__(self) -> None:
        self.size = 0
        self._file: IO[bytes] | None = None

    async def write(self, pieces: list[bytes]) -> bool:
        """Whether `pieces` are in the file now. Where there is no room for them, they stay in memory."""
        return await asyncio.get_running_loop().run_in_executor(_files, self._write, b"".join(pieces))

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(_files, self._read)

    def close(self) -> None:
        _files.submit(self._close)  # after what is still being written, though nobody waits for it any more

    def _write(self, data: bytes) -> bool:
        try:
            self._file = self._file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `_close` does
            if os.pwrite(self._file.fileno(), data, self.size) < len(data):
                return False
        except OSError:
            return False
        self.size += len(data)
        return True

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        return os.pread(self._file.fileno(), self.size, 0)

    def _close(self) -> None:
        if self._file:
            self._file.close()
