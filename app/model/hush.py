"""What libraries in C print on standard error by themselves: past the log, its form, its care not to wait."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed() -> Iterator[None]:
    """Meanwhile it goes nowhere. LiteRT greets whoever makes the first interpreter, and no setting stops it.

    C's `stderr` is a variable that is turned elsewhere; the file behind it, to which the log is written, stays as it
    is. Where there is no such variable, as on a Mac, they go on talking.
    """
    try:
        c = ctypes.CDLL(None)
        stream = ctypes.c_void_p.in_dll(c, "stderr")
        c.fopen.restype = ctypes.c_void_p
        nowhere = ctypes.c_void_p(c.fopen(b"/dev/null", b"w"))
    except (OSError, AttributeError, ValueError):
        nowhere = ctypes.c_void_p(None)
    if not nowhere:
        yield
        return
    before, stream.value = stream.value, nowhere.value
    try:
        yield
    finally:
        stream.value = before
        c.fclose(nowhere)
