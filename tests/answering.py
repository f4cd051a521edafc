"""A small HTTP server whose answers a test chooses, one after the other."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = {"name": "mnist_mlp", "version": 2}
READ = {"digit": 7, "label": "7", "confidence": 0.5, "probabilities": [0.0] * 7 + [0.5, 0.5, 0.0]}
PICTURE: dict[str, Any] = {
    "width": 28,
    "height": 28,
    "fitted": False,
    "inverted": False,
    "box": None,
    "warnings": [],
    "new": 1,
}
SEVEN = {**READ, "model": MODEL, "picture": PICTURE}
INFO = {**MODEL, "versions": [1, 2], "labels": ["0"], "signatures": {}, "report": None, "metadata": {}}


def problem(status: int, detail: str = "why") -> dict[str, Any]:
    return {"type": "urn:digits:x", "title": "No", "status": status, "detail": detail, "request_id": "1"}


@dataclass
class Reply:
    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # in place of the document
    hang_up: bool = False


@dataclass
class Asked:
    method: str
    path: str
    headers: Message
    body: bytes


@dataclass
class Answering:
    """`asked`: what has been asked so far."""

    url: str
    asked: list[Asked]


@contextmanager
def answering(reply: Callable[[Asked, int], Reply], port: int = 0) -> Iterator[Answering]:
    """`reply` is given each request and how many there were before."""
    asked: list[Asked] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                each, number = Asked(self.command, self.path, self.headers, body), len(asked)
                asked.append(each)
            chosen = reply(each, number)
            if chosen.hang_up:
                self.close_connection = True
                return
            content = json.dumps(chosen.document).encode() if chosen.raw is None else chosen.raw
            self.send_response(chosen.status)
            for name, value in {"Content-Length": str(len(content)), **chosen.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Answering(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
