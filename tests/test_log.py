"""One line a request, which a client can't make into two."""

import asyncio
import re

import httpx
import pytest

from app.telemetry.log import MAX_PATH, RequestLog
from tests.support import band, encode

LINE = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO 127\.0\.0\.1 "(\S+ [^"]*)" (\d{3}) \d+\.\d ms (\S+)')


def lines_of(captured: pytest.CaptureFixture[str], client: httpx.Client) -> list[tuple[str, ...]]:
    client.get("/livez")  # when this is answered the lines before it are written
    matches = [LINE.fullmatch(line) for line in captured.readouterr().err.splitlines()]
    return [match.groups() for match in matches if match]


def test_a_request_is_one_line_whichever_way_it_goes(client: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    client.post("/predict", files={"file": encode(band(3))}, headers={"X-Request-ID": "hot"})
    client.post("/predict?fit=never", files={"file": encode(band(3))}, headers={"X-Request-ID": "thorough"})
    client.post("/predict", files={"file": b""}, headers={"X-Request-ID": "bad"})
    lines = lines_of(capfd, client)
    assert ("POST /predict", "200", "hot") in lines
    assert ("POST /predict", "200", "thorough") in lines
    assert ("POST /predict", "422", "bad") in lines


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/a\nb", "/a\\nb"),
        ('/a"b', "/a%22b"),
        ("/\x1b[31m", "/\\x1b[31m"),
        ("/ü", "/\\xfc"),
        ("/" + "x" * 5000, "/" + "x" * (MAX_PATH - 1)),
    ],
)
def test_what_a_client_writes_is_escaped_and_cut(path: str, logged: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def add() -> None:
        RequestLog().add({"client": ("127.0.0.1", 1), "method": "GET", "path": path}, 404, 0.0123, "id")
        await asyncio.sleep(0)

    asyncio.run(add())
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert f'127.0.0.1 "GET {logged}" 404 12.3 ms id\n' in output


def test_lines_of_one_turn_are_written_together_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    async def add() -> None:
        log = RequestLog()
        for number in range(50):
            log.add({"client": None, "method": "GET", "path": "/"}, 200, 0, str(number))
        assert not capsys.readouterr().err
        await asyncio.sleep(0)

    asyncio.run(add())
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == [str(n) for n in range(50)]
