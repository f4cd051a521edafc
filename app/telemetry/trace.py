"""W3C Trace Context: which trace a request belongs to, told by its `traceparent` (https://www.w3.org/TR/trace-context)."""

import re

FIELD = b"traceparent"  # as ASGI has it
# Version 00: ids of the trace and of the caller's step, neither all zeros, and flags.
SANE = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def sane_trace(given: bytes | None) -> bytes | None:
    """`given`: the client's traceparent, if it sent one → the same, if it is as it should be."""
    return given if given is not None and SANE.fullmatch(given) else None


def trace_id(trace: bytes) -> str:
    """The trace's id, 32 hexadecimal digits, in a sane traceparent."""
    return trace[3:35].decode("ascii")
