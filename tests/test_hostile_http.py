"""What isn't HTTP, or too much of it, harms nobody and is told so."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from app.wire.connection import MAX_PIPELINED
from app.wire.gate import MAX_HEAD_BYTES
from tests.raw import HEALTHY, connected, exchange, post, problem_of, received_to_the_end, status_of
from tests.support import LITERT, SEVEN, Service, running_service, waiting

CHUNKED = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("hostile"), *LITERT, "--model-dir", str(tiny_models)) as service:
        yield service
        assert "Traceback" not in service.log.read_text()


@pytest.fixture(autouse=True)
def _lives_on(service: Service) -> Iterator[None]:
    yield
    assert httpx.get(service.url + "/readyz").status_code == 200


@contextmanager
def asleep(service: Service) -> Iterator[None]:
    """What is sent meanwhile comes in one turn of the service's event loop."""
    service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.process.send_signal(signal.SIGCONT)


def accepted(*raws: socket.socket) -> None:
    for raw in raws:
        raw.sendall(HEALTHY)
        assert status_of(raw.recv(4096)) == 200


def test_who_is_turned_away_while_asked_to_go_on_takes_nobodys_answer(service: Service) -> None:
    with ExitStack() as stack:
        bad, *good = (stack.enter_context(connected(service.url)) for _ in range(12))
        accepted(*good)
        with asleep(service):
            for raw in good:
                raw.sendall(HEALTHY.replace(b"/healthz", b"/livez"))
            bad.sendall(CHUNKED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\nZZ\r\n"))
        assert [status_of(raw.recv(4096)) for raw in good] == [200] * len(good)
        assert status_of(received_to_the_end(bad)) == 400


def test_who_says_that_he_has_said_all_has_his_answer_beside_others(service: Service) -> None:
    for _ in range(20):
        with ExitStack() as stack:
            raws = [stack.enter_context(connected(service.url)) for _ in range(12)]
            accepted(*raws)
            with asleep(service):
                for raw in raws:
                    raw.sendall(HEALTHY)
            for raw in raws:
                raw.shutdown(socket.SHUT_WR)
            assert [status_of(received_to_the_end(raw)) for raw in raws] == [200] * len(raws)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n",
        # smuggling (RFC 9112, 6.3): a proxy and we could see different ends
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"1" * 40 + b"\r\nabc",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: a\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_400_that_says_why(service: Service, sent: bytes) -> None:
    answer = exchange(service.url, sent)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 400") == 1
    problem = problem_of(answer)
    assert problem["title"] == "Not a request"
    assert problem["request_id"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /v1/models/tiny?\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (post(SEVEN.read_bytes(), "Content-Encoding: identity", "Content-Encoding: gzip"), 415),
        (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(SEVEN.read_bytes()), SEVEN.read_bytes()),
            415,
        ),
        (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(SEVEN.read_bytes()), SEVEN.read_bytes()),
            200,
        ),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET //healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"TRACE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"\xff" * 100 + b"\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\tb\r\nTraceparent: \xff\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400),
        (post(b"x" * 100, "Content-Type: multipart/form-data; boundary=" + "b" * 20_000), 400),
        (post(b"x" * 100, "Content-Type: multipart/form-data; boundary=\x01"), 400),
    ],
)
def test_what_is_odd_is_answered(service: Service, sent: bytes, status: int) -> None:
    with connected(service.url) as raw:
        raw.sendall(sent)
        assert status_of(raw.recv(65536)) == status


@pytest.mark.parametrize(
    ("fields", "received"),
    [
        ("", "none"),
        ("Host: x\r\nHost: x\r\n", "'x' and 'x'"),
        ("Host: x\r\n" + "Host: y\r\n" * 100, "'x' and 'y' and 'y'"),
        ("Host: a b\r\n", "'a b'"),
        ("Host: a/b\r\n", "'a/b'"),
        ("Host: a, b\r\n", "'a, b'"),
        ("Host: user@a\r\n", "'user@a'"),
        ("Host: a:b\r\n", "'a:b'"),
        ("Host: [::1\r\n", "'[::1'"),
        ("Host: <a>\r\n", "'<a>'"),
        ("Host: \xe9\r\n", r"'\xe9'"),
    ],
)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("line", ["GET /healthz", "GET /nowhere", "POST /predict", "GET http://x/healthz"])
def test_without_one_valid_host_a_request_is_a_400(
    service: Service, line: str, version: str, fields: str, received: str
) -> None:
    body = SEVEN.read_bytes() if line.startswith("POST") else b""
    head = f"{line} {version}\r\n{fields}Content-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
    with connected(service.url) as raw:
        raw.sendall(head.encode("latin-1") + body)
        answer = raw.recv(65536)
    if not fields and version == "HTTP/1.0":  # which knows no Host
        assert status_of(answer) == (404 if "nowhere" in line else 200)
        return
    assert status_of(answer) == 400
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == f"Expected one valid Host; received {received}."


@pytest.mark.parametrize(
    "host",
    ["", "x", "x:", "127.0.0.1:8000", "[::1]", "[fe80::1%25eth0]:80", "a_b.example.org:1", "x%20y!", "(a,b;c=d)"],
)
def test_what_names_a_host_is_one(service: Service, host: str) -> None:
    with connected(service.url) as raw:
        for request in (HEALTHY, post()):
            raw.sendall(request.replace(b"Host: x", b"Host: " + host.encode()))
            assert status_of(raw.recv(65536)) == 200


@pytest.mark.parametrize(
    "field", ["Content-Encoding: gzip", "Host: y", "X-Request-ID: of-the-trailer", "Content-Type: a/b"]
)
@pytest.mark.parametrize("chunks", [[SEVEN.read_bytes()], []], ids=["a picture", "no body"])
def test_a_trailer_is_no_part_of_the_head(service: Service, chunks: list[bytes], field: str) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: image/png\r\n\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    with connected(service.url) as raw:
        for _ in range(2):
            raw.sendall(head + body + b"0\r\n" + field.encode() + b"\r\n\r\n")
            answer = raw.recv(65536)
            assert status_of(answer) == (200 if chunks else 422)
            assert b"of-the-trailer" not in answer


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_request_in_many_packets_is_a_request(service: Service, size: int) -> None:
    with connected(service.url) as raw:
        for piece in in_pieces(post(), size):
            raw.sendall(piece)
        assert status_of(raw.recv(65536)) == 200


@pytest.mark.parametrize("name", ["Upgrade", "upgrade"])
def test_an_offer_of_another_protocol_is_ignored(service: Service, name: str) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", f"{name}: h2c", "HTTP2-Settings: AAMAAABk")
    with connected(service.url) as raw:
        for _ in range(2):
            raw.sendall(post(SEVEN.read_bytes(), *offer))
            assert status_of(raw.recv(65536)) == 200
        raw.sendall(post(b"\r\nUpgrade: a", *offer))
        assert b"Upgrade: a" in raw.recv(65536)  # what is in a body is left as it is


@pytest.mark.parametrize("packets", [1, 20], ids=["at once", "in packets"])
@pytest.mark.parametrize(
    "line", [b"X: y\r\n", b"X: " + b"y" * 100_000, b"a" * 1000], ids=["many fields", "a long one", "no colon"]
)
def test_a_head_beyond_its_limit_is_a_413(service: Service, line: bytes, packets: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + line * (1 + 100_000 // len(line))
    size = len(head) // packets + 1
    with connected(service.url) as raw:
        raw.settimeout(10)
        for _ in range(2):  # also of a connection that is known
            raw.sendall(HEALTHY)
            assert status_of(raw.recv(65536)) == 200
        try:
            for piece in in_pieces(head, size):
                raw.sendall(piece)
        except ConnectionError:
            pass
        answer = received_to_the_end(raw)
    assert status_of(answer) == 413
    assert f"at most {MAX_HEAD_BYTES} bytes" in problem_of(answer)["detail"]


def test_a_long_path_is_a_413_too(service: Service) -> None:
    assert status_of(exchange(service.url, b"GET /" + b"a" * (MAX_HEAD_BYTES + 1))) == 413


def test_a_head_may_be_nearly_as_long_as_its_limit_and_end_with_any_packet(service: Service) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n"
    for cut in (1, 2, 3, 4, 5, 20_000):
        with connected(service.url) as raw:
            raw.sendall(head[:-cut])
            raw.sendall(head[-cut:] + post(b"\x00" * 40_000))  # more than a head's in one packet
            assert status_of(raw.recv(15)) == 200


@pytest.mark.parametrize("endless", [b"0\r\nX: ", b"0\r\n", b"1;"], ids=["a trailer", "trailers", "an extension"])
def test_what_follows_a_body_without_end_is_cut(service: Service, endless: bytes) -> None:
    more = b"X: y\r\n" * 10_000 if endless == b"0\r\n" else b"y" * 60_000
    with connected(service.url) as raw:
        raw.sendall(CHUNKED + endless)
        assert is_cut(raw, more)


def is_cut(raw: socket.socket, more: bytes) -> bool:
    """Whether the connection ends while hundreds of megabytes are sent."""
    try:
        for _ in range(500_000_000 // len(more)):
            raw.sendall(more)
    except ConnectionError:
        return True
    return False


def test_pipelined_requests_are_answered_up_to_a_limit(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(HEALTHY * MAX_PIPELINED)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < MAX_PIPELINED:
            received += raw.recv(65536)
    assert b"connection: close" not in received.lower()
    answer = exchange(service.url, HEALTHY * 5000)
    assert answer.count(b"HTTP/1.1 200 OK") == MAX_PIPELINED + 1
    assert answer.lower().count(b"connection: close") == 1


def test_who_pipelines_and_never_reads_is_cut(service: Service) -> None:
    with connected(service.url) as raw:
        assert is_cut(raw, HEALTHY * 50)


def test_what_came_before_the_nonsense_is_answered(service: Service) -> None:
    answer = exchange(service.url, HEALTHY + post() + b"\x00\x00\x00")
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_a_client_that_has_said_all_is_answered(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(post())
        raw.shutdown(1)
        answer = received_to_the_end(raw)
    assert status_of(answer) == 200


def test_a_client_that_breaks_off_gets_nothing_and_is_told_of(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(post(b"x" * 1000, "X-Request-ID: breaks-off")[:-1])
        raw.shutdown(1)
        assert received_to_the_end(raw) == b""
    for _ in waiting("the line in the log"):
        if '"POST /predict" 499' in service.log.read_text() and "breaks-off" in service.log.read_text():
            break


def test_each_is_told_of_in_the_log_and_counted(service: Service) -> None:
    before = _count(service, '{method="other",route="unmatched",status="400"}')
    exchange(service.url, b"\x00\x00")
    assert _count(service, '{method="other",route="unmatched",status="400"}') == before + 1
    assert re.search(r'127\.0\.0\.1 "- -" 400 [\d.]+ ms', service.log.read_text())


def _count(service: Service, labels: str) -> float:
    text = httpx.get(service.url + "/metrics").text
    found = re.search(rf"^digits_requests_total{re.escape(labels)} (\S+)$", text, re.M)
    return float(found[1]) if found else 0
