"""Many connections that send one request after the other, and know of each what became of it."""

import errno
import re
import selectors
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
LOOK_SECONDS = 0.05


def predict(picture: bytes) -> bytes:
    """The whole request: POST /predict with the PNG `picture` as its body."""
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    return head.encode() + picture


@dataclass
class _Connection:
    peer: socket.socket
    received: bytes = b""
    sent: bool = False  # a request that isn't answered yet


@dataclass
class Crowd(threading.Thread):
    """Asks until `over` is set and each connection has its last answer, or until nobody accepts connections any more.

    A connection that the server says it closes is opened anew. `statuses` counts the answers; `wrong` those without
    `expected` in them. `lost` counts requests that were sent on a connection that stood, and never answered whole.
    """

    port: int
    request: bytes
    expected: bytes
    connections: int
    statuses: Counter[bytes] = field(default_factory=Counter)
    wrong: int = 0
    lost: int = 0
    refused: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._ready = selectors.DefaultSelector()

    __hash__ = threading.Thread.__hash__

    @property
    def answered(self) -> int:
        return self.statuses.total()

    def run(self) -> None:
        """Asks."""
        for _ in range(self.connections):
            self._connect()
        while self._ready.get_map():
            for key, _ in self._ready.select(LOOK_SECONDS):
                self._go_on(key.data)
            if self.over.is_set():
                for key in [each for each in self._ready.get_map().values() if not each.data.sent]:
                    self._close(key.data)
        self._ready.close()

    def end(self) -> None:
        """Waits for the last answers."""
        self.over.set()
        self.join()

    def _connect(self) -> None:
        peer = socket.socket()
        peer.setblocking(False)
        peer.connect_ex(("127.0.0.1", self.port))
        self._ready.register(peer, selectors.EVENT_WRITE, _Connection(peer))

    def _go_on(self, each: _Connection) -> None:
        try:
            if each.sent:
                self._receive(each)
            elif not (error := each.peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                self._ask(each)
            else:
                raise OSError(error, errno.errorcode[error])
        except OSError:
            self._lose(each)

    def _ask(self, each: _Connection) -> None:
        each.sent = True
        self._ready.modify(each.peer, selectors.EVENT_READ, each)
        each.peer.sendall(self.request)

    def _receive(self, each: _Connection) -> None:
        data = each.peer.recv(65536)
        if not data:
            raise ConnectionError("closed")
        each.received += data
        head, end, body = each.received.partition(b"\r\n\r\n")
        if end and (length := LENGTH.search(head)) and len(body) >= int(length[1]):
            self.statuses[head[9:12]] += 1
            self.wrong += self.expected not in body
            each.sent, each.received = False, b""
            if CLOSE.search(head):
                self._close(each)
                self._connect()
            elif not self.over.is_set():
                self._ask(each)

    def _lose(self, each: _Connection) -> None:
        self._close(each)
        if each.sent:
            self.lost += 1
            self._connect()
        else:
            self.refused += 1

    def _close(self, each: _Connection) -> None:
        self._ready.unregister(each.peer)
        each.peer.close()
