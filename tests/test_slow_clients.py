"""Those who are slow, silent or too many: cut at their deadline, told why, and nobody waits for them."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.wire.connection import MAX_PIPELINED
from tests.raw import HEALTHY, connected, post, problem_of, received_to_the_end, status_of
from tests.support import LITERT, Service, running_service, waiting

pytestmark = pytest.mark.alone

LIMIT = 24
HALF = post()[:-1]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Iterator[Service]:
    options = [*LITERT, "--head-seconds", "1", "--receive-seconds", "3", "--send-seconds", "1"]
    folder = tmp_path_factory.mktemp("slow")
    with running_service(folder, "--model-dir", str(tiny_models), "--max-connections", str(LIMIT), *options) as service:
        yield service
        assert "Traceback" not in service.log.read_text()


def test_a_head_that_takes_too_long_is_a_408(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
        raw.settimeout(0.1)
        for _ in waiting("the service to lose patience"):
            try:
                raw.sendall(b"y")
                answer = raw.recv(65536)
                break
            except TimeoutError:
                pass
    assert status_of(answer) == 408
    assert "head of a request within 1 seconds" in problem_of(answer)["detail"]


def test_a_second_head_has_its_own_time(service: Service) -> None:
    with connected(service.url) as raw:
        for _ in range(8):  # for longer than one may take
            raw.sendall(HEALTHY)
            assert status_of(raw.recv(65536)) == 200
            time.sleep(0.2)


def test_who_says_nothing_is_let_go_without_a_word(service: Service) -> None:
    with connected(service.url) as raw:
        assert received_to_the_end(raw) == b""


def test_a_body_that_takes_too_long_is_a_408(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(HALF)
        answer = received_to_the_end(raw)
    assert status_of(answer) == 408
    assert "whole body within 3 seconds" in problem_of(answer)["detail"]


def test_who_never_takes_his_answers_is_cut(service: Service) -> None:
    raw = socket.socket()
    with raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = httpx.URL(service.url)
        raw.connect((address.host, address.port or 80))
        raw.sendall(HEALTHY)  # so that the service has it among its own
        assert status_of(raw.recv(65536)) == 200
        before = _connections(service)
        for _ in waiting("the connection to be cut"):
            try:
                raw.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            except ConnectionError:
                break
            time.sleep(0.1)
    for _ in waiting("the connection to be gone"):
        if _connections(service) < before:
            break


def test_who_asks_too_much_at_once_and_never_takes_his_answers_is_cut(service: Service) -> None:
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = httpx.URL(service.url)
        raw.connect((address.host, address.port or 80))
        raw.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2 * MAX_PIPELINED)
        for _ in waiting("the connection to be cut"):
            try:
                raw.sendall(b"x")  # what is read no more
            except ConnectionError:
                break


def test_one_too_many_is_told_and_the_others_go_on(service: Service) -> None:
    with ExitStack() as stack:
        busy = [stack.enter_context(connected(service.url)) for _ in range(LIMIT)]
        for each in busy:
            each.sendall(HALF)
        one_more = stack.enter_context(connected(service.url))
        answer = received_to_the_end(one_more)
        for each in busy:
            each.sendall(post()[-1:])
            assert status_of(each.recv(65536)) == 200
    assert status_of(answer) == 503
    assert b"retry-after: 1\r\n" in answer.lower()
    assert f"{LIMIT} connections" in problem_of(answer)["detail"]


def test_the_longest_idle_makes_room(service: Service) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(service.url)) for _ in range(LIMIT)]
        for each in connections:
            each.sendall(HEALTHY)
            assert status_of(each.recv(65536)) == 200
        for _ in waiting("somebody to make room"):  # the service looks once a second who is idle
            with connected(service.url) as one_more:
                one_more.sendall(HEALTHY)
                if status_of(one_more.recv(65536) or b"HTTP/1.1 503") == 200:
                    break
    assert httpx.get(service.url + "/healthz").status_code == 200


def test_more_than_can_be_told_are_cut_at_once(service: Service) -> None:
    with ExitStack() as stack:
        raws = [stack.enter_context(connected(service.url)) for _ in range(3 * LIMIT)]
        for each in raws[:LIMIT]:
            each.sendall(HALF)
        for each in raws:
            received_to_the_end(each)
    assert httpx.get(service.url + "/healthz").status_code == 200


def _connections(service: Service) -> int:
    """How many sockets the process has open."""
    files = Path(f"/proc/{service.process.pid}/fd")
    return sum("socket" in str(each.readlink()) for each in files.iterdir() if each.is_symlink())
