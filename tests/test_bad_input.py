"""Each bad input: its status, a sentence, and a service that is alive and right afterwards."""

import contextlib
import http.client
import json
import socket
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.conftest import MAX_UPLOAD_BYTES, RECEIVE_SECONDS
from tests.support import LITERT, SEVEN, band, chunk, encode, png, running_service

GOOD = encode(band(7))
FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}
OCTETS = {"Content-Type": "application/octet-stream"}
GZIP = {"Content-Encoding": "gzip"}
BLANK = encode(np.zeros((28, 28), np.uint8))


def part(content: bytes, disposition: str = 'form-data; name="file"; filename="a.png"') -> bytes:
    return f"--xyz\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


END = b"--xyz--\r\n"


@dataclass
class Bad:
    """A request, the status it gets and words of the detail."""

    name: str
    status: int
    words: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: FORM)
    path: str = "/predict"
    method: str = "POST"


CASES = [
    Bad("no body at all", 400, "received an empty body", headers={}),
    Bad("form without a part", 400, "without any field", END),
    Bad("empty file", 422, "0 bytes", part(b"") + END),
    Bad("empty body as a picture", 422, "0 bytes", headers={"Content-Type": "image/png"}),
    Bad("text as a file", 415, "begin with b'hello'", part(b"hello") + END),
    Bad("text as the body", 415, "begin with b'hello'", b"hello", OCTETS),
    Bad("gzip", 415, "not compressed; received the Content-Encoding 'gzip'", b"\x1f\x8b", OCTETS | GZIP),
    Bad("a gzipped form", 415, "not compressed", b"\x1f\x8b", FORM | GZIP),
    Bad("a gzipped form of many", 415, "not compressed", b"\x1f\x8b", FORM | GZIP, "/predict/batch"),
    Bad("gzipped raw images", 415, "not compressed", b"\x1f\x8b", OCTETS | GZIP, "/predict/batch"),
    Bad("a blank picture as it is", 422, "without any ink", BLANK, {"Content-Type": "image/png"}, "/predict?fit=never"),
    Bad("text/plain", 415, "received 'text/plain'", b"hello", {"Content-Type": "text/plain"}),
    Bad("json", 415, "received 'application/json'", b"{}", {"Content-Type": "application/json"}),
    Bad(
        "form-urlencoded",
        415,
        "/predict -F file=@digit.png",
        b"file=7",
        {"Content-Type": "application/x-www-form-urlencoded"},
    ),
    Bad("png cut off", 422, "cut off", part(GOOD[:-20]) + END),
    Bad("png with damaged pixels", 422, "can't be decoded", part(GOOD[:50] + b"\0" * 9 + GOOD[59:]) + END),
    Bad("png of 30000x30000", 413, "30000x30000", part(png(30000, 30000, chunk(b"IDAT", b""))) + END),
    Bad(
        "another size",
        422,
        "28x28 pixels; received one of 20x30",
        part(encode(band(1)[:, :20].repeat(2, 0)[:30])) + END,
    ),
    Bad("wrong field name", 400, "'file'; received 'picture'", part(GOOD, 'form-data; name="picture"') + END),
    Bad("two files", 400, "received 2", part(GOOD) + part(GOOD) + END),
    Bad(
        "a further field",
        400,
        "no multipart field but 'file'; received also 'note'",
        part(GOOD) + part(b"x", 'form-data; name="note"') + END,
    ),
    Bad("too many parts", 400, "more than 8 parts", part(GOOD) * 9 + END),
    Bad("no boundary", 400, "boundary", part(GOOD) + END, {"Content-Type": "multipart/form-data"}),
    Bad("empty boundary", 400, "boundary", part(GOOD) + END, {"Content-Type": "multipart/form-data; boundary="}),
    Bad("another boundary", 400, "multipart", part(GOOD) + END, {"Content-Type": "multipart/form-data; boundary=abc"}),
    Bad("form that breaks off", 400, "last boundary is missing", part(GOOD)),
    Bad("form that is none", 400, "multipart", b"hello"),
    Bad("empty form", 400, "last boundary is missing"),
    Bad("part without a name", 400, "Content-Disposition", part(GOOD, "form-data") + END),
    Bad("part without a disposition", 400, "Content-Disposition", b"--xyz\r\n\r\nhello\r\n" + END),
    Bad("part with a bad header", 400, "multipart", b"--xyz\r\nContent Disposition\r\n\r\nhello\r\n" + END),
    Bad("part with endless headers", 400, "multipart", b"--xyz\r\n" + b"A: b\r\n" * 5000 + b"\r\n\r\n" + END),
    Bad("too many bytes", 413, f"at most {MAX_UPLOAD_BYTES} bytes", b"x" * (MAX_UPLOAD_BYTES + 1), OCTETS),
    Bad("bad query", 400, "'preview'", part(GOOD) + END, path="/predict?preview=perhaps"),
    Bad("wrong method", 405, "takes POST; received GET", method="GET"),
    Bad("wrong method elsewhere", 405, "takes GET, HEAD; received DELETE", path="/model", method="DELETE"),
    Bad("wrong path", 404, "/docs", path="/predictt"),
    Bad("path with a slash too much", 404, "/docs", path="/predict/"),
    Bad("batch: empty form", 400, "'files'", END, path="/predict/batch"),
    Bad("batch: wrong field", 400, "'files'; received 'file'", part(GOOD) + END, path="/predict/batch"),
    Bad("batch: no form", 415, "-F files=@one.png", GOOD, {"Content-Type": "image/png"}, "/predict/batch"),
    Bad(
        "batch: raw, not whole images",
        422,
        "784 bytes each; received 1000 bytes",
        bytes(1000),
        OCTETS,
        "/predict/batch",
    ),
    Bad("batch: raw, nothing", 400, "empty body", b"", OCTETS, "/predict/batch"),
    Bad("batch: no type", 415, "received 'none'", GOOD, {}, "/predict/batch"),
]


@pytest.fixture(autouse=True)
def _right_afterwards(client: httpx.Client) -> Iterator[None]:
    yield
    assert client.post("/predict", files={"file": GOOD}).json()["digit"] == 7
    assert client.get("/readyz").status_code == 200


def check_problem(response: httpx.Response, status: int, words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert sorted(problem) == ["detail", "request_id", "status", "title", "type"]
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert words in problem["detail"]
    assert problem["type"].startswith("urn:digits:")


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: bad.name)
def test_bad_input(client: httpx.Client, bad: Bad) -> None:
    response = client.request(bad.method, bad.path, content=bad.body, headers=bad.headers)
    check_problem(response, bad.status, bad.words)


@pytest.mark.parametrize("host", ["digits.example.org:8443", "[::1]:80", ""])
@pytest.mark.parametrize("path", ["/predict", "/read", "/predict/batch"])
def test_the_right_curl_names_the_service_as_the_client_does(client: httpx.Client, path: str, host: str) -> None:
    response = client.post(path, content=b"{}", headers={"Host": host, "Content-Type": "application/json"})
    assert f"Try: curl http://{host or client.base_url.netloc.decode()}{path} -F " in response.json()["detail"]


def test_a_wrong_method_names_the_right_one(client: httpx.Client) -> None:
    assert client.get("/predict").headers["Allow"] == "POST"


def test_a_png_cut_off_anywhere(client: httpx.Client) -> None:
    data = SEVEN.read_bytes()
    for length in range(1, len(data)):
        response = client.post("/predict", content=data[:length], headers=OCTETS)
        assert response.status_code == 422, length


def test_a_chunked_body_over_the_limit_is_cut_off(client: httpx.Client) -> None:
    response = client.post("/predict", content=(b"x" * 50_000 for _ in range(100)), headers=OCTETS)
    check_problem(response, 413, f"at most {MAX_UPLOAD_BYTES} bytes; received more")
    assert response.headers["Connection"] == "close"


def test_a_body_at_the_limit_is_read(client: httpx.Client) -> None:
    response = client.post("/predict", content=GOOD + b"\0" * (MAX_UPLOAD_BYTES - len(GOOD)), headers=OCTETS)
    assert response.json()["digit"] == 7


class Wire:
    """A raw connection, for requests that no client library would send."""

    def __init__(self, url: str) -> None:
        address = httpx.URL(url)
        assert address.port
        self.socket = socket.create_connection((address.host, address.port), timeout=20)

    def send(self, head: str, body: bytes = b"") -> None:
        self.socket.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    def answer(self) -> tuple[int, str]:
        """The status and everything after the head, up to where the server closes."""
        received = b""
        while data := self.socket.recv(65536):
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()


@pytest.fixture
def wire(tiny_url: str) -> Iterator[Wire]:
    wire = Wire(tiny_url)
    with contextlib.closing(wire.socket):
        yield wire


POST = "POST /predict HTTP/1.1\nHost: x\nContent-Type: image/png\n"


def test_a_declared_excess_is_refused_before_a_byte_of_it_is_sent(wire: Wire) -> None:
    wire.send(POST + "Content-Length: 100000000000")
    status, body = wire.answer()
    assert status == 413
    assert "declares 100000000000" in json.loads(body)["detail"]


def test_a_refused_client_that_never_stops_sending_is_cut_off(wire: Wire) -> None:
    wire.send(POST + "Content-Length: 100000000000")
    started = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < started + 20:
            wire.socket.sendall(b"x" * 65536)
    assert time.monotonic() < started + 10


@pytest.mark.parametrize(
    "head",
    [
        "POST /nowhere HTTP/1.1\nHost: x\nTransfer-Encoding: chunked",
        "GET /livez HTTP/1.1\nHost: x\nTransfer-Encoding: chunked",
        "POST /predict?fit=sometimes HTTP/1.1\nHost: x\nTransfer-Encoding: chunked",
        "POST /predict HTTP/1.1\nHost: x\nContent-Type: text/plain\nTransfer-Encoding: chunked",
        POST + "Transfer-Encoding: chunked",
    ],
    ids=["no such path", "no body expected", "bad query", "wrong type", "too long"],
)
def test_an_endless_body_is_cut_off_wherever_it_is_sent(wire: Wire, head: str) -> None:
    wire.send(head)
    started = time.monotonic()
    sent = 0
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < started + 20:
            wire.socket.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
    assert sent < 200_000_000
    assert time.monotonic() < started + 15


def test_a_client_that_looks_only_after_it_has_sent_everything_sees_why(tiny_url: str) -> None:
    address = httpx.URL(tiny_url)
    for _ in range(5):
        connection = http.client.HTTPConnection(address.host, address.port, timeout=20)
        connection.request("POST", "/predict", b"x" * 20_000_000, OCTETS)
        assert connection.getresponse().status == 413
        connection.close()


def median_seconds(client: httpx.Client, url: str, connection: str) -> float:
    times = []
    for _ in range(20):
        started = time.monotonic()
        client.get(url, headers={"Connection": connection})
        times.append(time.monotonic() - started)
    return statistics.median(times)


@pytest.mark.alone
def test_requests_on_a_kept_connection_are_no_slower_than_on_new_ones(tmp_path: Path, tiny_models: Path) -> None:
    # the server as it is started, for its socket; with Nagle's algorithm each waits 44 ms, on a new one none does
    options = (*LITERT, "--model-dir", str(tiny_models))
    with running_service(tmp_path, *options) as service, httpx.Client() as client:
        url = service.url + "/livez"
        assert median_seconds(client, url, "keep-alive") < 2 * median_seconds(client, url, "close")


def test_a_content_length_that_promises_too_much_is_waited_for_and_then_refused(wire: Wire) -> None:
    started = time.monotonic()
    wire.send(POST + f"Content-Length: {len(GOOD) + 100}", GOOD)
    status, body = wire.answer()
    assert status == 408
    assert f"received {len(GOOD)} bytes" in json.loads(body)["detail"]
    assert RECEIVE_SECONDS * 0.9 < time.monotonic() - started < RECEIVE_SECONDS + 5


def test_a_content_length_that_promises_too_little_is_a_picture_cut_off(wire: Wire) -> None:
    wire.send(POST + "Connection: close\nContent-Length: 60", GOOD[:60] + GOOD[60:])
    status, body = wire.answer()
    assert status == 422
    assert "received 60 bytes" in json.loads(body)["detail"]


@pytest.mark.parametrize("length", ["-5", "abc", "1e3", ""])
def test_a_content_length_that_is_no_number_is_a_bad_request(wire: Wire, length: str) -> None:
    wire.send(POST + f"Content-Length: {length}", GOOD)
    assert wire.answer()[0] == 400


def test_a_client_that_hangs_up_in_the_middle_harms_nobody(wire: Wire) -> None:
    wire.send(POST + "Content-Length: 5000", GOOD)
    wire.socket.close()


def test_what_is_no_http_is_a_bad_request(wire: Wire) -> None:
    wire.send("hello")
    assert wire.answer()[0] == 400
