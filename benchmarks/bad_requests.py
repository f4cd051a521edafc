"""What clients get wrong, a request for each kind, and how the service has to answer it."""

import json
import struct
import zlib
from dataclasses import dataclass
from http.client import HTTPConnection

from benchmarks.exchanges import FORM, Images, form, png


@dataclass(frozen=True)
class BadRequest:
    """A request, and the status and `type` of the problem that must come back."""

    name: str
    status: int
    kind: str
    body: bytes
    path: str = "/predict"
    method: str = "POST"
    content_type: str = FORM["Content-Type"]
    declared: int | None = None  # Content-Length, when it is not the body's

    def send(self, connection: HTTPConnection) -> None:
        """Raises: ValueError, when it is answered in another way."""
        connection.putrequest(self.method, self.path)
        connection.putheader("Content-Type", self.content_type)
        connection.putheader("Content-Length", str(len(self.body) if self.declared is None else self.declared))
        connection.endheaders(self.body)
        response = connection.getresponse()
        content = response.read() if self.declared is None else response.read1()  # it waits for what never comes
        connection.close()
        got = (response.status, json.loads(content).get("type"), response.headers.get_content_type())
        want = (self.status, f"urn:digits:{self.kind}", "application/problem+json")
        if got != want:
            raise ValueError(f"{self.name}: expected {want}; received {got}")


def bad_requests(image: Images) -> list[BadRequest]:
    """One of each kind, made from a good picture."""
    good = png(image)
    corrupt = good[:60] + bytes(40) + good[100:]
    urlencoded = "application/x-www-form-urlencoded"
    return [
        BadRequest("corrupt PNG", 422, "damaged-picture", form("file", [corrupt])),
        BadRequest("cut-off PNG", 422, "damaged-picture", form("file", [good[:-30]])),
        BadRequest("empty file", 422, "empty-picture", form("file", [b""])),
        BadRequest("wrong size", 422, "wrong-size", form("file", [png(image[:20, :20])]), path="/predict?fit=never"),
        BadRequest("text", 415, "unknown-format", form("file", [b"hello, this is no picture"])),
        BadRequest("urlencoded", 415, "unknown-format", b"file=7", content_type=urlencoded),
        BadRequest("wrong field", 400, "wrong-field", form("picture", [good])),
        BadRequest("broken form", 400, "broken-form", form("file", [good])[:-20]),
        BadRequest("too many pixels", 413, "too-many-pixels", form("file", [_claiming(good, 30_000)])),
        BadRequest("30 MB declared", 413, "too-many-bytes", good, declared=30_000_000),
        BadRequest("no such path", 404, "not-found", form("file", [good]), path="/predictions"),
        BadRequest("wrong method", 405, "wrong-method", b"", method="DELETE"),
    ]


def _claiming(picture: bytes, side: int) -> bytes:
    """The same PNG, but its header (bytes 12 to 29, then a checksum) says that it is `side` pixels wide and high."""
    header = b"IHDR" + struct.pack(">II", side, side) + picture[24:29]
    return picture[:12] + header + struct.pack(">I", zlib.crc32(header)) + picture[33:]
