"""Nobody waits for who reads standard error, and what is lost is told."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from app.telemetry import stderr
from app.telemetry.metrics import LOST_LINES
from app.telemetry.stderr import CHUNK_BYTES, PATIENCE_SECONDS, Stderr
from tests.support import CHECKOUT, LITERT, waiting
from tests.test_metrics import scrape

LINE = "x" * 99 + "\n"
PIPE_BYTES = 65_536  # what a pipe takes without being read


class Pipe:
    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self._open = {self.read_end, self.write_end}
        os.set_blocking(self.read_end, False)

    def close(self, end: int) -> None:
        if end in self._open:
            self._open.remove(end)
            os.close(end)

    def read(self) -> str:
        """All that is in it."""
        data = b""
        while True:
            try:
                data += os.read(self.read_end, PIPE_BYTES)
            except BlockingIOError:
                return data.decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for end in (pipe.read_end, pipe.write_end):
        pipe.close(end)


@pytest.fixture(params=["by the kernel", "by poll"])
def out(pipe: Pipe, request: pytest.FixtureRequest) -> Stderr:
    """Both ways not to wait: of new kernels, and of older ones."""
    out = Stderr(pipe.write_end)
    out._says_at_once = request.param == "by the kernel"
    return out


def test_what_a_pipe_does_not_take_is_written_when_it_does(out: Stderr, pipe: Pipe) -> None:
    lines = [f"{number} {LINE}" for number in range(3000)]
    read = ""

    async def write() -> None:
        nonlocal read
        for each in lines:
            out.write(each)
        while len(read) < sum(map(len, lines)):
            await asyncio.sleep(0.01)
            read += pipe.read()

    asyncio.run(asyncio.wait_for(write(), 30))
    assert read == "".join(lines)


def test_what_is_too_much_is_lost_counted_and_told_when_it_flows_again(
    out: Stderr, pipe: Pipe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stderr, "KEPT_BYTES", 10_000)
    before = LOST_LINES._value.get()

    async def write() -> str:
        for _ in range(1000):
            out.write(LINE)
        assert "lost" not in caplog.text
        read = ""
        while "lost" not in caplog.text:
            read += pipe.read()
            await asyncio.sleep(0.01)
        return read + pipe.read()

    read = asyncio.run(asyncio.wait_for(write(), 30))
    lost = 1000 - read.count("\n")
    assert 0 < lost < 1000 - PIPE_BYTES // len(LINE)
    assert caplog.messages == [f"{lost} log lines lost: standard error did not take them"]
    assert LOST_LINES._value.get() - before == lost


def test_without_an_event_loop_nobody_waits_for_long(out: Stderr, pipe: Pipe) -> None:
    begin = time.monotonic()
    for _ in range(3):
        out.write(LINE * 1000)
    assert PATIENCE_SECONDS <= time.monotonic() - begin < 10
    pipe.read()
    out.write("again\n")
    assert "again\n" in pipe.read()


def test_lines_of_other_threads_are_tried_again_by_the_loop(out: Stderr, pipe: Pipe) -> None:
    async def write() -> str:
        out.write(LINE * 1000)
        await asyncio.to_thread(out.write, "of a thread\n")
        read = ""
        while "of a thread\n" not in read:
            read += pipe.read()
            await asyncio.sleep(0.01)
        return read

    assert asyncio.run(asyncio.wait_for(write(), 30)) == LINE * 1000 + "of a thread\n"


def test_a_pipe_whose_reader_is_gone_harms_nobody(out: Stderr, pipe: Pipe) -> None:
    pipe.close(pipe.read_end)
    before = LOST_LINES._value.get()
    for _ in range(3):
        out.write(LINE)
    assert LOST_LINES._value.get() - before == 3


def test_a_full_disk_loses_lines_until_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stderr, "PATIENCE_SECONDS", 0)
    file = os.open("/dev/full", os.O_WRONLY)
    try:
        out = Stderr(file)
        out.write(LINE * 3)
        assert not caplog.messages
        with (tmp_path / "log").open("w") as room:
            os.dup2(room.fileno(), file)
        out.write("again\n")
        assert (tmp_path / "log").read_text() == "again\n"
        assert caplog.messages == ["3 log lines lost: standard error did not take them"]
    finally:
        os.close(file)


def test_a_closed_file_harms_nobody(pipe: Pipe) -> None:
    out = Stderr(pipe.write_end)
    pipe.close(pipe.write_end)
    out.write(LINE)
    Stderr(None).write(LINE)


def test_a_line_is_not_torn_but_where_it_is_longer_than_a_chunk(pipe: Pipe) -> None:
    out = Stderr(pipe.write_end)
    pieces: list[bytes] = []
    out._put = lambda chunk: pieces.append(bytes(chunk)) or len(chunk)  # type: ignore[func-returns-value,method-assign]
    out.write(LINE * 100 + "y" * 9000 + "\n" + LINE)
    assert b"".join(pieces).decode() == LINE * 100 + "y" * 9000 + "\n" + LINE
    assert all(len(each) <= CHUNK_BYTES for each in pieces)
    assert [each.endswith(b"\n") for each in pieces].count(False) == 2


# and what it says by itself, where the machine was so busy that nobody read for PATIENCE_SECONDS
WHOLE_LINE = r"[ab]\d{7}x{80}|\d+ log lines lost: standard error did not take them"
WRITER = """
import sys
from app.telemetry.stderr import STDERR
for number in range(300):
    STDERR.write("".join(f"{sys.argv[1]}{number:04d}{index:03d}{'x' * 80}\\n" for index in range(50)))
"""


def test_lines_of_several_processes_do_not_mix() -> None:
    command = [sys.executable, "-c", WRITER]
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        writers = [subprocess.Popen([*command, name], cwd=CHECKOUT, stderr=cat.stdin) for name in ("a", "b")]
        lines = cat.communicate()[0].decode().splitlines()
        for each in writers:
            assert each.wait(60) == 0
    assert [line for line in lines if not re.fullmatch(WHOLE_LINE, line)] == []
    for name in ("a", "b"):
        own = [line for line in lines if line.startswith(name)]
        assert own == sorted(own)
        assert len(own) > 1000


def test_a_service_whose_log_nobody_reads_answers_on(tmp_path: Path, tiny_models: Path) -> None:
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "app", *LITERT, "--port", "0", "--model-dir", str(tiny_models)]
    with subprocess.Popen(command, cwd=CHECKOUT, stderr=write_end) as process:
        os.close(write_end)
        try:
            log = os.read(read_end, 4096).decode()
            for _ in waiting("the service to be ready"):
                if " ready: " in log:
                    break
                log += os.read(read_end, 4096).decode()
            url = re.findall(r"listening on (http://\S+)", log)[0]
            connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
            for _ in range(3000):  # a line of 880 bytes each, for it is escaped
                connection.request("GET", "/" + "%C3%BC" * 200)
                assert connection.getresponse().read()
            connection.close()
            name = ("digits_log_lines_lost_total", frozenset[tuple[str, str]]())
            lost = scrape(url)[name]
            assert lost > 1000
            for _ in waiting("the loss to be told"):
                log += os.read(read_end, PIPE_BYTES).decode()
                if f"WARNING {lost:.0f} log lines lost: standard error did not take them\n" in log:
                    break
            assert httpx.get(url + "/livez").status_code == 200
        finally:
            process.terminate()
            assert process.wait(30) == 0
            os.close(read_end)
