"""More than it can do: who would wait for too long is told at once, small pictures aren't held up, and all is well
afterwards.
"""

import asyncio
import base64
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app import backroom as room
from app.backroom import CALM_QUEUE, QUEUE, Backroom
from app.errors import Overloaded
from app.model import saved_model
from app.reader import GROUP_BYTES, Reader
from app.settings import Settings
from app.telemetry import metrics
from app.wire import connection
from tests.conftest import serving
from tests.raw import connected, post, received_to_the_end, status_of
from tests.support import LITERT, SEVEN, SHIPPED_VERSION, Service, band, encode, running_service, waiting

pytestmark = pytest.mark.alone

PHOTOGRAPH = encode(np.random.default_rng(0).integers(0, 256, (3000, 4000), np.uint8), "JPEG", quality=60)
LARGE = encode(Image.new("L", (7000, 9000), 255), "JPEG")  # 20 ms
SMALL = SEVEN.read_bytes()
CLIENTS = CALM_QUEUE + 4


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("overload"), *LITERT, "--log-format", "json") as service:
        yield service


def ask_many(url: str, count: int, path: str = "/predict") -> list[httpx.Response]:
    """All at once."""
    with (
        ThreadPoolExecutor(count) as pool,
        httpx.Client(timeout=60, limits=httpx.Limits(max_connections=count)) as http,
    ):
        return list(pool.map(lambda _: http.post(url + path, content=PHOTOGRAPH), range(count)))


@pytest.fixture(scope="module")
def answers(service: Service) -> list[httpx.Response]:
    """Of forty photographs at once, while small ones are asked."""
    return ask_many(service.url, 40)


def test_some_are_answered_and_the_others_told_to_come_again(answers: list[httpx.Response]) -> None:
    statuses = [each.status_code for each in answers]
    assert set(statuses) == {422, 503}  # it is noise
    assert statuses.count(422) > QUEUE
    for each in answers:
        if each.status_code == 503:
            assert int(each.headers["Retry-After"]) >= 1
            assert "are waiting already" in each.json()["detail"]


@contextmanager
def overloaded(service: Service) -> Iterator[None]:
    """Photographs come all the time, more than can be read; yields when it has come to that."""
    over, refused = threading.Event(), threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=60) as http:
            while not over.is_set():
                if http.post(service.url + "/predict", content=PHOTOGRAPH).status_code == 503:
                    refused.set()
                    over.wait(0.05)

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask) for _ in range(CLIENTS)]
        try:
            assert refused.wait(60)
            yield
        finally:
            over.set()
            for each in asking:
                each.result()


def test_small_ones_are_answered_meanwhile_and_large_ones_afterwards(service: Service) -> None:
    with overloaded(service), httpx.Client(base_url=service.url, timeout=60) as http:
        statuses = {http.post("/predict", content=SMALL).status_code for _ in range(60)}
        statuses |= {http.post("/predict", content=iter([SMALL])).status_code for _ in range(20)}  # chunked
    assert statuses == {200}
    assert httpx.post(service.url + "/predict", content=PHOTOGRAPH, timeout=60).status_code == 422


def test_a_refusal_comes_before_the_body(service: Service) -> None:
    head = post(PHOTOGRAPH)[: -len(PHOTOGRAPH)]
    with overloaded(service):
        for _ in waiting("a refusal"):
            with connected(service.url) as raw:
                raw.sendall(head)
                raw.settimeout(0.2)
                with suppress(TimeoutError):  # there was room
                    answer = raw.recv(65536)
                    break
    assert status_of(answer) == 503


def test_it_is_an_error_of_the_protocol_too(service: Service) -> None:
    row = {"b64": base64.b64encode(PHOTOGRAPH).decode()}
    body = json.dumps({"signature_name": "images", "instances": [row]}).encode()
    with overloaded(service):
        for _ in waiting("a refusal"):
            answer = httpx.post(service.url + "/v1/models/mnist_mlp:predict", content=body, timeout=60)
            if answer.status_code == 503:
                break
    assert set(answer.json()) == {"error"}
    assert int(answer.headers["Retry-After"]) >= 1


def test_an_answer_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with running_service(tmp_path, *LITERT, "--answer-seconds", "0.01") as service:
        answer = httpx.post(service.url + "/read", content=PHOTOGRAPH)
        assert answer.status_code == 503
        assert "longer than 0.01 seconds" in answer.json()["detail"]
        assert httpx.post(service.url + "/predict", content=SMALL).status_code == 200


def slow(done: list[str], name: str, seconds: float = 0.02) -> None:
    time.sleep(seconds)
    done.append(name)


def test_steps_take_turns() -> None:
    async def both() -> list[str]:
        done: list[str] = []
        backroom = Backroom()
        long = asyncio.create_task(backroom.run_each([lambda: slow(done, "long")] * 5))
        await asyncio.sleep(0)
        await backroom.run(lambda: slow(done, "short"))
        await long
        return done

    done = asyncio.run(both())
    assert done.count("long") == 5
    assert done.index("short") <= 2


def test_results_are_in_order_and_the_first_exception_ends_it() -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("no")

    async def each() -> list[int]:
        backroom = Backroom()
        with pytest.raises(ValueError, match="no"):
            await backroom.run_each([lambda: slow(done, "first"), fail, lambda: slow(done, "third")])
        return await backroom.run_each([lambda k=k: k for k in range(5)])  # type: ignore[misc]

    assert asyncio.run(each()) == [0, 1, 2, 3, 4]
    assert done == ["first"]


def test_what_nobody_waits_for_any_more_is_not_done() -> None:
    async def cancelled() -> list[str]:
        done: list[str] = []
        backroom = Backroom()
        first = asyncio.create_task(backroom.run(lambda: slow(done, "first")))
        others = [asyncio.create_task(backroom.run(lambda: slow(done, "other"))) for _ in range(3)]
        many = asyncio.create_task(backroom.run_each([lambda: slow(done, "many")] * 3))
        await asyncio.sleep(0.005)
        for each in (*others, many):
            each.cancel()
        await first
        await backroom.run(lambda: slow(done, "last"))
        return done

    assert asyncio.run(cancelled()) == ["first", "last"]


def has_room(backroom: Backroom) -> bool:
    with suppress(Overloaded):
        backroom.check_room()
        return True
    return False


def test_room_is_what_can_be_done_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill(seconds: float) -> int:
        """How many get in when each takes so long."""
        backroom = Backroom()
        entered: list[asyncio.Task[None]] = []
        for _ in range(20):  # it learns how long
            backroom._single.learn(seconds)
        while len(entered) < 100 and has_room(backroom):
            entered.append(asyncio.create_task(backroom.run(lambda: time.sleep(seconds))))
            await asyncio.sleep(0)
        for each in entered:
            each.cancel()
        await asyncio.gather(*entered, return_exceptions=True)
        backroom.check_room()
        return len(entered)

    assert asyncio.run(fill(1.0)) == CALM_QUEUE + 1
    assert CALM_QUEUE + 1 < asyncio.run(fill(0.02)) < 60
    monkeypatch.setattr(room, "CALM_SECONDS", math.inf)  # as if somebody had just been refused
    assert asyncio.run(fill(0.5)) == QUEUE + 1
    assert asyncio.run(fill(0.0001)) > QUEUE + 1  # what is quickly done isn't in anybody's way


def test_after_a_refusal_there_is_less_room_until_all_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = room._Kind()
    kind.check(CALM_QUEUE, 10)
    with pytest.raises(Overloaded) as caught:
        kind.check(CALM_QUEUE + 1, 2.5)
    assert caught.value.retry_after_s == 3
    assert "again in 3 seconds" in caught.value.detail
    kind.check(QUEUE, 10)
    with pytest.raises(Overloaded):
        kind.check(CALM_QUEUE, 10)
    monkeypatch.setattr(room, "CALM_SECONDS", 0)
    kind.check(CALM_QUEUE, 10)


def test_a_place_is_kept_for_who_is_let_in_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CALM_SECONDS", math.inf)
    monkeypatch.setattr(room, "EXPECT_SECONDS", 10)
    backroom = Backroom()

    def let_in(kept: ExitStack) -> bool:
        with suppress(Overloaded):
            kept.enter_context(backroom.expecting())
            return True
        return False

    with ExitStack() as kept:
        assert [let_in(kept) for _ in range(QUEUE + 3)] == [True] * (QUEUE + 1) + [False] * 2
        backroom.check_room()  # who is there already may have one that is only kept
    with ExitStack() as kept:
        assert let_in(kept)  # they have been given back
    monkeypatch.setattr(room, "EXPECT_SECONDS", 0)
    with ExitStack() as kept:
        assert all(let_in(kept) for _ in range(20))


def test_batches_keep_out_nobody_but_batches(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CALM_SECONDS", math.inf)
    monkeypatch.setattr(room, "STEP_SECONDS", 10)
    reader = Reader(saved_model.load(tiny_models / "2"), max_pixels=1_000_000, max_batch=64, max_pending=64)
    large = encode(band(4)) + bytes(GROUP_BYTES)

    async def ask() -> list[Any]:
        batches = [reader.read_many([large, large]) for _ in range(QUEUE + 2)]
        return list(await asyncio.gather(*batches, reader.read(large), return_exceptions=True))

    *batches, refused, single = asyncio.run(ask())
    assert [[each.digit for each in batch] for batch in batches] == [[4, 4]] * (QUEUE + 1)
    assert isinstance(refused, Overloaded)
    assert 20 < (refused.retry_after_s or 0) <= 10 * 2 * (QUEUE + 1)  # some steps may have been done
    assert single.digit == 4


def test_a_batch_has_its_turn_though_others_come() -> None:
    async def both() -> list[str]:
        done: list[str] = []
        backroom = Backroom()
        first = asyncio.create_task(backroom.run(lambda: slow(done, "first")))
        await asyncio.sleep(0)
        many = asyncio.create_task(backroom.run_each([lambda: slow(done, "many")] * 3))
        others = [asyncio.create_task(backroom.run(lambda: slow(done, "other"))) for _ in range(4 * (QUEUE + 1))]
        await asyncio.gather(first, many, *others)
        return done

    done = asyncio.run(both())
    places = [at for at, name in enumerate(done) if name == "many"]
    assert places == [QUEUE + 1, 2 * (QUEUE + 1) + 1, 3 * (QUEUE + 1) + 2]


def test_those_who_wait_are_counted() -> None:
    async def counted() -> list[float]:
        backroom = Backroom()
        tasks = [asyncio.create_task(backroom.run(lambda: time.sleep(0.01))) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        waiting = [metrics.LARGE._value.get()]
        await asyncio.gather(*tasks, return_exceptions=True)
        return [*waiting, metrics.LARGE._value.get()]

    assert asyncio.run(counted()) == [3, 0]


def batch(name: str) -> bytes:
    """A request whose answer takes 0.3 s and more."""
    boundary = f"--{name}\r\nContent-Disposition: form-data; name=files\r\n\r\n".encode()
    form = b"".join(boundary + LARGE + b"\r\n" for _ in range(16)) + f"--{name}--\r\n".encode()
    fields = (f"X-Request-ID: {name}", f"Content-Type: multipart/form-data; boundary={name}")
    return post(form, *fields, path="/predict/batch")


def test_who_leaves_is_not_worked_for(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(batch("leaves"))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # at once, whatever is unsent
    for _ in waiting("the line in the log"):
        lines = [line for line in service.log.read_text().splitlines() if "leaves" in line]
        if lines:
            break
    assert json.loads(lines[0])["status"] == 499


def test_who_may_have_left_is_not_worked_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HALF_CLOSED_SECONDS", 0.01)
    with serving(Settings(model_version=SHIPPED_VERSION)) as url:
        with connected(url) as raw:
            raw.sendall(batch("leaves"))
            raw.shutdown(socket.SHUT_WR)
            assert received_to_the_end(raw) == b""
        monkeypatch.setattr(connection, "HALF_CLOSED_SECONDS", 60)
        with connected(url) as raw:
            raw.sendall(post())
            raw.shutdown(socket.SHUT_WR)
            assert status_of(received_to_the_end(raw)) == 200
