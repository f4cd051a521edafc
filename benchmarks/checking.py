"""A client that checks every answer, in one thread: some 15 µs a request, so one CPU of it keeps one of ours busy."""

import re
import selectors
import socket
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
VERSION = re.compile(rb'"version":(\d+)')
PATIENCE_SECONDS = 10  # for the last answers
LONGEST = 1 << 16  # bytes of an answer, at the most


@dataclass
class Seen:
    """What came of it. Times are time.perf_counter's, latencies in seconds."""

    ends: "array[float]" = field(default_factory=lambda: array("d"))
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    changes: list[tuple[float, int]] = field(default_factory=list)  # when another version began to answer
    failed: int = 0
    wrong: int = 0
    example: str = ""  # of what failed or was wrong

    def latencies_ms(self, chosen: Callable[[NDArray[np.float64]], NDArray[np.bool_]]) -> NDArray[np.float64]:
        """Those of the requests whose ends are `chosen`."""
        return np.asarray(self.latencies)[chosen(np.asarray(self.ends))] * 1e3


@dataclass(eq=False)
class _Line:
    """A connection with one request under way: number `k`, sent at `begun`, `answer` as far as it has come."""

    socket: socket.socket
    k: int = 0
    begun: float = 0
    answer: bytes = b""


class Checker:
    """Sends `requests` in turn, each connection the next as soon as it has its answer.

    `check` is given number of the request, version and body of each answer that hasn't been there before, and raises
    ValueError when it is wrong.
    """

    def __init__(self, port: int, requests: list[bytes], check: Callable[[int, int, bytes], None]) -> None:
        self.seen = Seen()
        self.version = -1  # that answered last
        self._port, self._requests, self._check = port, requests, check
        self._known: set[tuple[int, bytes]] = set()
        self._next = 0
        self._selector = selectors.DefaultSelector()

    def run(self, connections: int, over: Callable[[], bool]) -> None:
        """Goes on until `over`, and then waits for what is under way."""
        for _ in range(connections):
            self._open()
        while not over():
            self._turn(again=True)
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while self._selector.get_map() and time.perf_counter() < deadline:
            self._turn(again=False)
        for key in list(self._selector.get_map().values()):
            self._fail(key.data, "no answer")

    def _turn(self, again: bool) -> None:
        for key, _ in self._selector.select(0.05):
            line: _Line = key.data
            try:
                received = line.socket.recv(LONGEST)
            except OSError as error:
                received, reason = b"", str(error)
            else:
                reason = "the connection was closed"
            if not received:
                self._fail(line, reason)
                if again:
                    self._open()
            elif self._is_whole(line, received):
                self._note(line)
                if again:
                    self._send(line)
                else:
                    self._close(line)

    def _is_whole(self, line: _Line, received: bytes) -> bool:
        line.answer += received
        head = line.answer.find(b"\r\n\r\n")
        length = LENGTH.search(line.answer, 0, head) if head >= 0 else None
        return length is not None and len(line.answer) >= head + 4 + int(length[1])

    def _note(self, line: _Line) -> None:
        now = time.perf_counter()
        self.seen.ends.append(now)
        self.seen.latencies.append(now - line.begun)
        body = line.answer[line.answer.index(b"\r\n\r\n") + 4 :]
        version = VERSION.search(body)
        if not line.answer.startswith(b"HTTP/1.1 200") or not version:
            self.seen.failed += 1
            self.seen.example = repr(line.answer[:400])
            return
        if (line.k, body) not in self._known:
            try:
                self._check(line.k, int(version[1]), body)
                self._known.add((line.k, body))
            except ValueError as error:
                self.seen.wrong += 1
                self.seen.example = str(error)
        if self.version != int(version[1]):
            self.version = int(version[1])
            self.seen.changes.append((now, self.version))

    def _open(self) -> None:
        line = _Line(socket.create_connection(("127.0.0.1", self._port), PATIENCE_SECONDS))
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(line.socket, selectors.EVENT_READ, line)
        self._send(line)

    def _send(self, line: _Line) -> None:
        self._next = (self._next + 1) % len(self._requests)
        line.k, line.answer, line.begun = self._next, b"", time.perf_counter()
        line.socket.sendall(self._requests[line.k])

    def _fail(self, line: _Line, reason: str) -> None:
        self.seen.failed += 1
        self.seen.example = reason
        self._close(line)

    def _close(self, line: _Line) -> None:
        self._selector.unregister(line.socket)
        line.socket.close()
