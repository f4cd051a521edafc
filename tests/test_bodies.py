"""Bodies of any length and kind, within bounds of memory."""

import asyncio
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.requests import Request

from app.errors import Overloaded
from app.main import create_app
from app.routes.body import PIECE_BYTES, Arriving, read_body
from app.settings import Settings
from benchmarks.processes import memory
from tests.raw import connected, status_of
from tests.support import LITERT, SEVEN, Service, encode, running_service, waiting

CARD = SEVEN.with_name("card.jpg")
BIG = encode(Image.open(CARD).convert("L").resize((1800, 1500)), "BMP")  # 2.7 MB


CHUNKED = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"100000\r\n" + b"\x00" * 0x100000 + b"\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("bodies"), *LITERT) as service:
        yield service


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def files_of(service: Service) -> list[str]:
    return [str(each.readlink()) for each in Path(f"/proc/{service.process.pid}/fd").iterdir() if each.is_symlink()]


def test_a_large_picture_whose_length_nobody_declares_is_read(service: Service) -> None:
    declared = httpx.post(service.url + "/predict", content=BIG)
    assert declared.status_code == 200
    assert httpx.post(service.url + "/predict", content=in_pieces(BIG, 100_001)).json() == declared.json()


def test_ten_gigabytes_that_nobody_declares_are_cut_at_the_limit_and_cost_little(service: Service) -> None:
    before = memory(service.process.pid).rss
    sent, answer, peak = 0, b"", before
    with connected(service.url) as raw:
        raw.sendall(CHUNKED)
        raw.settimeout(0.01)
        while sent < 10_000 and not answer:
            with suppress(TimeoutError, ConnectionError):
                sent += 1
                raw.sendall(MEGABYTE)
            with suppress(TimeoutError, ConnectionError):
                answer = raw.recv(65536)
            peak = max(peak, memory(service.process.pid).rss)
    assert status_of(answer) == 413
    assert sent < 100
    assert peak - before < 19  # MiB, of 20 MB


def test_ten_declared_gigabytes_are_refused_before_they_are_sent(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n")
        answer = raw.recv(65536)
    assert status_of(answer) == 413


def test_what_was_not_read_leaves_no_file_behind(service: Service) -> None:
    with connected(service.url) as raw:
        raw.sendall(CHUNKED + MEGABYTE * 3)
        for _ in waiting("the body to be in a file"):
            if any("(deleted)" in each for each in files_of(service)):
                break
    for _ in waiting("the file to be gone"):
        if not any("(deleted)" in each for each in files_of(service)):
            break


def test_without_room_for_files_bodies_stay_in_memory(tmp_path: Path) -> None:
    with running_service(tmp_path, *LITERT) as service:
        limit_files(service, PIECE_BYTES + 1000)  # the second piece doesn't fit
        assert httpx.post(service.url + "/predict", content=in_pieces(BIG, 100_001)).status_code == 200


def limit_files(service: Service, size: int) -> None:
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, size))


def arrived(arriving: Arriving, *chunks: bytes) -> bytes:
    """What `read_body` makes of a body that comes in such chunks."""
    app = create_app(Settings())
    app.state.arriving = arriving
    messages = iter([{"type": "http.request", "body": each, "more_body": True} for each in chunks])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.request", "body": b""})

    scope = {"type": "http", "headers": [], "app": app, "state": {"started": time.perf_counter()}}
    return asyncio.run(read_body(Request(scope, receive), Settings()))


def test_all_bodies_that_arrive_have_a_limit_together() -> None:
    arriving = Arriving(1000)
    arriving.add(400)  # of another
    assert arrived(arriving, b"x" * 300, b"y" * 300) == b"x" * 300 + b"y" * 300
    for _ in range(3):  # what was refused isn't counted any more
        with pytest.raises(Overloaded, match="other requests"):
            arrived(arriving, b"x" * 300, b"y" * 301)
    arriving.release(400)
    assert len(arrived(arriving, b"x" * 1000)) == 1000
