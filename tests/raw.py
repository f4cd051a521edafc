"""HTTP as no client would send it: bytes into a socket, and what comes back."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support import SEVEN

PATIENCE_SECONDS = 30.0
HEALTHY = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80), PATIENCE_SECONDS) as raw:
        yield raw


def received_to_the_end(raw: socket.socket) -> bytes:
    """All that comes until the service closes the connection; a reset ends it, too."""
    received = b""
    try:
        while data := raw.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def exchange(url: str, sent: bytes) -> bytes:
    """What the service answers to `sent` until it closes the connection."""
    with connected(url) as raw:
        raw.sendall(sent)
        return received_to_the_end(raw)


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer[9:12])


def problem_of(answer: bytes) -> dict[str, Any]:
    """The problem in a single answer, whose head says its length and that it is the last."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == status_of(answer)
    return problem


def post(body: bytes = SEVEN.read_bytes(), *fields: str, path: str = "/predict") -> bytes:
    """A whole request with a picture as its body."""
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *fields])
    return head.encode() + b"\r\n\r\n" + body
