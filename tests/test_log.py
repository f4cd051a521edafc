"""One line a request, which a client can't make into two."""

import asyncio
import json
import logging
import re
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.telemetry.log import MAX_PATH, JsonFormatter, RequestLog, logging_config
from tests.support import LITERT, MANUAL, band, encode, running_service

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
LINE = re.compile(
    r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO 127\.0\.0\.1 "(\S+ [^"]*)" (\d{3}) \d+\.\d ms (\S+(?: \S+)?)'
)


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
def test_what_a_client_writes_is_escaped_and_cut(path: str, logged: str, capfd: pytest.CaptureFixture[str]) -> None:
    async def add() -> None:
        RequestLog().add({"client": ("127.0.0.1", 1), "method": "GET", "path": path}, 404, 0.0123, "id")
        await asyncio.sleep(0)

    asyncio.run(add())
    lines = capfd.readouterr().err.splitlines()  # the tests' service may add one of its own
    assert all(line[:4].isdigit() for line in lines)
    assert [line.partition(" INFO ")[2] for line in lines if line.endswith(" id")] == [
        f'127.0.0.1 "GET {logged}" 404 12.3 ms id'
    ]


def test_lines_of_one_turn_are_written_together_and_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    async def add() -> None:
        log = RequestLog()
        for number in range(50):
            log.add({"client": None, "method": "GET", "path": "/"}, 200, 0, str(number))
        assert nobodys() == []
        await asyncio.sleep(0)

    def nobodys() -> list[str]:
        """The ids of the lines without a client."""
        return [line.split()[-1] for line in capfd.readouterr().err.splitlines() if ' INFO - "' in line]

    asyncio.run(add())
    assert nobodys() == [str(n) for n in range(50)]


@pytest.mark.parametrize("query", ["", "?fit=never"], ids=["hot", "thorough"])
def test_a_trace_is_told_of_and_its_header_comes_back(
    query: str, client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = {"traceparent": TRACE, "X-Request-ID": "traced"}
    response = client.post("/predict" + query, files={"file": encode(band(3))}, headers=headers)
    assert response.headers.get_list("traceparent") == [TRACE]
    assert ("POST /predict", "200", f"traced {TRACE_ID}") in lines_of(capfd, client)


@pytest.mark.parametrize("query", ["", "?fit=never"], ids=["hot", "thorough"])
@pytest.mark.parametrize(
    "traces",
    [
        [],
        [TRACE, TRACE],
        [TRACE.replace("00-", "01-", 1)],
        [TRACE.replace("00-", "ff-", 1)],
        [TRACE.upper()],
        [TRACE + "-more"],
        [TRACE[:-1]],
        [TRACE.replace(TRACE_ID, "0" * 32)],
        [TRACE.replace("b7ad6b7169203331", "0" * 16)],
        [TRACE.replace("7", "g")],
    ],
)
def test_anything_else_is_no_trace(
    query: str, traces: list[str], client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = [("traceparent", each) for each in traces] + [("X-Request-ID", "untraced")]
    response = client.post("/predict" + query, files={"file": encode(band(3))}, headers=headers)
    assert response.status_code == 200
    assert "traceparent" not in response.headers
    assert ("POST /predict", "200", "untraced") in lines_of(capfd, client)


def test_as_json_a_request_is_an_object_and_so_is_what_the_service_says(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--log-format", "json")
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready()
        for query in ("", "?fit=never"):
            httpx.post(
                service.url + "/predict" + query,
                files={"file": encode(band(3))},
                headers={"X-Request-ID": "id" + query[1:4], "traceparent": TRACE},
            )
        httpx.get(service.url + '/ü"\\x1b\\n')
        service.stop(signal.SIGTERM)
        documents = [json.loads(line) for line in service.log.read_text().splitlines()]
    for each in documents:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each["time"])
        written = datetime.fromisoformat(each["time"])
        assert abs(datetime.now(UTC) - written) < timedelta(minutes=5)
    said = [each for each in documents if each["message"] != "request"]
    assert all(set(each) == {"time", "level", "message"} for each in said)
    assert [each["message"].split()[0] for each in said] == ["listening", "ready:", "SIGTERM:", "stopped"]
    hot, thorough, nowhere = [each for each in documents if each["message"] == "request"][-3:]
    example = json.loads(re.findall(r"```jsonl\n(.*)\n```", MANUAL)[0])
    assert list(nowhere) == list(example)
    assert 0 < hot.pop("duration_ms") < 60_000
    expected: dict[str, object] = {
        "level": "INFO",
        "message": "request",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/predict",
    }
    expected |= {"time": hot["time"], "status": 200, "request_id": "id", "trace_id": TRACE_ID}
    assert hot == expected
    assert thorough["request_id"] == "idfit"
    assert (nowhere["path"], nowhere["status"]) == ('/ü"\\x1b\\n', 404)
    assert "trace_id" not in nowhere


def test_as_json_an_exception_has_its_traceback_in_one_string() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("digits", logging.ERROR, "", 0, "request %s failed", ("x",), sys.exc_info())
    line = JsonFormatter().format(record)
    document = json.loads(line)
    assert "\n" not in line
    assert (document["level"], document["message"]) == ("ERROR", "request x failed")
    assert document["exception"].startswith("Traceback")
    assert document["exception"].endswith("ValueError: two\nlines")


def test_off_is_no_line_a_request_and_text_of_the_service(capfd: pytest.CaptureFixture[str]) -> None:
    async def add() -> None:
        RequestLog("off").add({"client": None, "method": "GET", "path": "/"}, 200, 0, "id")
        await asyncio.sleep(0)

    asyncio.run(add())
    assert not capfd.readouterr().err
    assert logging_config("off") == logging_config("text")
