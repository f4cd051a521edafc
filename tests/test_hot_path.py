"""The hot path answers what is usual by itself, and the rest is answered as if it weren't there."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.datastructures import State
from starlette.types import Message, Receive, Scope, Send

from app.hot_path import HotPath
from app.images.decode import SMALL_BYTES
from app.model.metadata import Metadata
from app.model.model import Model
from app.reader import Reader
from app.routes.upload import LARGE_BYTES
from app.settings import Settings
from app.telemetry.log import RequestLog
from app.telemetry.observed import Observed
from tests.support import SEVEN as SEVEN_FILE
from tests.support import band, encode

TYPE = "multipart/form-data; boundary=xyz"


def form(data: bytes, name: str = "file") -> bytes:
    head = (
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"; filename="7.png"\r\nContent-Type: image/png\r\n\r\n'
    )
    return head.encode() + data + b"\r\n--xyz--\r\n"


PICTURE = Image.open(SEVEN_FILE)
SEVEN = form(encode(PICTURE))
HOST, KIND, LENGTH = (b"host", b"x"), (b"content-type", TYPE.encode()), (b"content-length", b"%d" % len(SEVEN))


LIMITS = Settings()


class Thorough:
    """Stands for everything behind the hot path: notes that it was asked, and reads the body."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def ask(
    model: Model | None,
    *messages: Message | float,
    thorough: Thorough | None = None,
    fields: dict[str, str] | None = None,
    limits: Settings = LIMITS,
    **changes: Any,
) -> tuple[int, bytes]:
    """One request straight to a HotPath; a number among the messages is a pause in seconds."""
    length = sum(len(each.get("body", b"")) for each in messages if not isinstance(each, float))
    given = {"host": "x", "content-type": TYPE, "content-length": str(length)} | (fields or {})
    scope: Scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "client": None} | changes
    scope.setdefault("headers", [(name.encode(), value.encode()) for name, value in given.items()])
    coming = iter(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        for message in coming:
            if isinstance(message, float):
                await asyncio.sleep(message)
            else:
                return message
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        reader = Reader(model, max_pixels=10_000, max_batch=64, max_pending=64) if model else None
        observed = Observed(thorough or Thorough(), RequestLog())
        await HotPath(observed, State({"reader": reader, "settings": limits}))(scope, receive, send)
        await asyncio.sleep(0)

    asyncio.run(run())
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent)


def request(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_the_usual_form_is_answered_here(shipped: Model) -> None:
    status, answer = ask(shipped, request(SEVEN))
    assert status == 200
    assert json.loads(answer)["model"] == {"name": "mnist_mlp", "version": shipped.version}


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream"])
def test_a_picture_as_the_body_is_answered_here(shipped: Model, kind: str) -> None:
    assert ask(shipped, request(encode(PICTURE)), fields={"content-type": kind})[0] == 200


def test_a_picture_of_too_many_pixels_is_refused_here(shipped: Model) -> None:
    bomb = encode(Image.new("L", (8001, 8001)))  # the readers of these tests take 10,000 pixels
    assert len(bomb) > SMALL_BYTES  # more than is read between two requests
    status, answer = ask(shipped, request(form(bomb)))
    assert status == 413
    assert "at most 10000 pixels" in json.loads(answer)["detail"]


@pytest.mark.parametrize(
    "messages",
    [
        [request(SEVEN[:9], more=True), request(SEVEN[9:])],
        [0.01, request(SEVEN)],
        [request(SEVEN[:9], more=True), 0.01, request(SEVEN[9:99], more=True), 0.01, request(SEVEN[99:])],
        [request(SEVEN, more=True), request(b"")],
    ],
    ids=["in two", "late", "late and in three", "with an empty end"],
)
def test_a_body_may_come_late_and_in_pieces(shipped: Model, messages: list[Message | float]) -> None:
    assert ask(shipped, *messages)[0] == 200


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (SEVEN, {"path": "/predict/"}),
        (SEVEN, {"method": "PUT"}),
        (SEVEN, {"query_string": b"preview=true"}),
        (SEVEN, {"headers": [HOST, KIND]}),
        (SEVEN, {"headers": [HOST, LENGTH]}),
        (SEVEN, {"headers": [HOST, KIND, KIND, LENGTH]}),
        (SEVEN, {"headers": [HOST, KIND, (b"content-length", b"+300")]}),
        (SEVEN, {"headers": [KIND, LENGTH]}),
        (SEVEN, {"headers": [HOST, HOST, KIND, LENGTH]}),
        (SEVEN, {"headers": [(b"host", b"a b"), KIND, LENGTH]}),
        (
            form(encode(PICTURE, "TIFF") + bytes(LARGE_BYTES)),
            {},
        ),
        (form(encode(PICTURE), "files"), {}),
        (SEVEN[:-9], {}),
        (b"", {}),
    ],
)
def test_what_is_unusual_goes_the_thorough_way_with_its_whole_body(
    shipped: Model, body: bytes, changes: dict[str, Any]
) -> None:
    thorough = Thorough()
    assert ask(shipped, request(body), thorough=thorough, **changes)[0] == 299
    assert thorough.bodies == [body]


def test_without_a_model_all_goes_the_thorough_way() -> None:
    assert ask(None, request(SEVEN))[0] == 299


def test_a_client_that_leaves_in_the_middle_is_left_to_the_thorough_way(shipped: Model) -> None:
    thorough = Thorough()
    assert ask(shipped, request(SEVEN[:50], more=True), thorough=thorough)[0] == 299
    assert thorough.bodies == [SEVEN[:50]]


def test_a_body_that_takes_too_long_is_left_to_the_thorough_way_and_nothing_is_lost(
    shipped: Model,
) -> None:
    hasty = Settings(receive_seconds=0.05)
    thorough = Thorough()
    start, middle, end = request(SEVEN[:50], more=True), request(SEVEN[50:90], more=True), request(SEVEN[90:])
    assert ask(shipped, start, 0.01, middle, 0.2, end, thorough=thorough, limits=hasty)[0] == 299
    assert thorough.bodies == [SEVEN]


def test_a_body_over_the_limit_is_left_to_the_thorough_way_however_small(shipped: Model) -> None:
    body = form(encode(PICTURE, "BMP"))
    assert len(body) > 1024
    assert ask(shipped, request(body), limits=Settings(max_upload_bytes=1024))[0] == 299
    assert ask(shipped, request(body))[0] == 200


@pytest.mark.parametrize(
    ("data", "status"), [(b"hello", 415), (b"", 422), (encode(PICTURE)[:-20], 422), (encode(band(7) // 255), 422)]
)
def test_a_bad_picture_is_answered_here(shipped: Model, data: bytes, status: int) -> None:
    given, answer = ask(shipped, request(form(data)))
    assert given == status == json.loads(answer)["status"]


def test_when_the_model_fails_it_is_a_500_without_detail_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        name, version, metadata = "failing", 1, Metadata(("",) * 10, True, {})

        def judge(self, pixels: object) -> object:
            raise RuntimeError("no memory")

    status, answer = ask(Failing(), request(SEVEN))  # type: ignore[arg-type]
    assert status == 500
    assert b"memory" not in answer
    assert "no memory" in caplog.text


@pytest.fixture(scope="module")
def connection(tiny_url: str) -> Iterator[HTTPConnection]:
    """Sends head and body together, so that nothing is left to luck."""
    address = httpx.URL(tiny_url)
    connection = HTTPConnection(address.host, address.port)
    yield connection
    connection.close()


def answer_to(connection: HTTPConnection, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    connection.request("POST", path, body, {"Content-Type": TYPE, "X-Request-ID": "same"})
    response = connection.getresponse()
    assert response.headers["X-Request-ID"] == "same"
    return response.status, json.loads(response.read())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    digit=st.integers(0, 9),
    flips=st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 255)), max_size=2),
    cut=st.integers(0, 12),
)
def test_both_ways_give_the_same_answers_and_errors(
    connection: HTTPConnection, digit: int, flips: list[tuple[int, int]], cut: int
) -> None:
    body = bytearray(form(encode(band(digit))))
    for at, change in flips:
        body[at % len(body)] ^= change
    sent = bytes(body[: len(body) - cut])
    assert answer_to(connection, "/predict", sent) == answer_to(connection, "/predict?fit=auto", sent)


def test_requests_in_one_packet_are_answered_in_order(tiny_url: str) -> None:
    address = httpx.URL(tiny_url)
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\nContent-Length: %d\r\n\r\n"
    bodies = [form(encode(band(digit))) for digit in (3, 1, 4, 1, 5)]
    with socket.create_connection((address.host, address.port or 0)) as raw:
        raw.sendall(b"".join((head % len(body)).encode() + body for body in bodies))
        received = b""
        deadline = time.monotonic() + 20
        while received.count(b'"digit":') < len(bodies) and time.monotonic() < deadline:
            received += raw.recv(65536)
    digits = [int(each[:1]) for each in received.split(b'"digit":')[1:]]
    assert digits == [3, 1, 4, 1, 5]


def test_a_client_that_hangs_up_after_asking_harms_nobody(tiny_url: str) -> None:
    address = httpx.URL(tiny_url)
    body = form(encode(band(2)))
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(50):
        with socket.create_connection((address.host, address.port or 0)) as raw:
            raw.sendall(head.encode() + body)
    for digit in range(10):
        assert httpx.post(tiny_url + "/predict", files={"file": encode(band(digit))}).json()["digit"] == digit
