"""GET /metrics: what is counted is what was asked, and no client makes the labels grow."""

import asyncio
import platform
import re
import secrets
import socket
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app import __version__
from app.errors import Overloaded, ServiceError
from app.model import saved_model
from app.reader import Reader
from app.telemetry.metrics import PENDING, REQUESTS, count_request
from tests.support import CHECKOUT, band, encode, waiting

NOTE = CHECKOUT / "tests" / "pictures" / "note.jpg"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(url: str) -> Samples:
    response = httpx.get(url + "/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    return samples_of(response.text)


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests(samples: Samples, method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return samples.get(("digits_requests_total", frozenset(labels.items())), 0)


def test_requests_are_counted_by_route_and_status_whichever_way_they_go(tiny_url: str) -> None:
    before = scrape(tiny_url)
    for digit in range(5):
        httpx.post(tiny_url + "/predict", files={"file": encode(band(digit))})
        httpx.post(tiny_url + "/predict?fit=never", files={"file": encode(band(digit))})
    httpx.post(tiny_url + "/predict", files={"file": b"hello"})
    httpx.post(tiny_url + "/predict/batch", files=[("files", encode(band(1)))] * 7)
    after = scrape(tiny_url)

    def more(*labels: object) -> float:
        return requests(after, *labels) - requests(before, *labels)  # type: ignore[arg-type]

    assert more("POST", "/predict", 200) == 10
    assert more("POST", "/predict", 415) == 1
    assert more("POST", "/predict/batch", 200) == 1
    assert more("GET", "/metrics", 200) == 1
    duration = ("digits_request_duration_seconds_count", frozenset({("route", "/predict")}))
    assert after[duration] - before.get(duration, 0) == 11
    pictures: tuple[str, frozenset[tuple[str, str]]] = ("digits_batch_pictures_sum", frozenset())
    assert after[pictures] - before.get(pictures, 0) == 17


def test_no_client_makes_the_labels_grow(tiny_url: str) -> None:
    def ask() -> None:
        for _ in range(20):
            httpx.get(f"{tiny_url}/{secrets.token_hex(4)}")
            httpx.request(secrets.token_hex(4).upper(), tiny_url + "/predict")

    ask()
    before = scrape(tiny_url)
    ask()
    after = scrape(tiny_url)
    assert set(after) == set(before)
    assert requests(after, "GET", "unmatched", 404) - requests(before, "GET", "unmatched", 404) == 20


def test_methods_that_there_are_not_share_a_label() -> None:
    for _ in range(3):
        count_request(secrets.token_hex(4), "/odd", 405, 0.001)
    assert REQUESTS.labels("other", "/odd", "405")._value.get() == 3


def test_durations_are_in_seconds_whichever_way_a_request_goes(tiny_url: str) -> None:
    name = ("digits_request_duration_seconds_sum", frozenset({("route", "/predict")}))
    for query in ("", "?fit=auto"):
        before = scrape(tiny_url).get(name, 0)
        started = time.perf_counter()
        for _ in range(10):
            httpx.post(tiny_url + "/predict" + query, files={"file": encode(band(1))})
        assert 0.0005 < scrape(tiny_url)[name] - before < time.perf_counter() - started


def test_who_leaves_before_the_end_is_499(tiny_url: str) -> None:
    address = httpx.URL(tiny_url)
    before = requests(scrape(tiny_url), "POST", "/predict", 499)
    with socket.create_connection((address.host, address.port or 0)) as raw:
        raw.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\n12")
    for _ in waiting("the count"):
        if requests(scrape(tiny_url), "POST", "/predict", 499) == before + 1:
            break


def test_every_digit_of_a_row_is_a_prediction(shipped_url: str) -> None:
    before = scrape(shipped_url)
    text = httpx.post(shipped_url + "/read", files={"file": NOTE.read_bytes()}).json()["text"]
    after = scrape(shipped_url)
    for digit in "0123456789":
        name = ("digits_predictions_total", frozenset({("digit", digit)}))
        assert after[name] - before[name] == text.count(digit)
    confidences = ("digits_confidence_count", frozenset[tuple[str, str]]())
    assert after[confidences] - before[confidences] == len(text.replace("\n", ""))


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [("GET", "/nowhere", "not-found"), ("GET", "/predict", "wrong-method"), ("POST", "/predict", "no-picture")],
)
def test_refusals_are_counted_by_the_type_of_their_problem(method: str, path: str, reason: str, tiny_url: str) -> None:
    name = ("digits_refused_total", frozenset({("reason", reason)}))
    before = scrape(tiny_url)
    problem = httpx.request(method, tiny_url + path).json()
    assert problem["type"] == "urn:digits:" + reason
    assert scrape(tiny_url)[name] == before[name] + 1


def test_every_error_has_its_reason_from_the_start(tiny_url: str) -> None:
    reasons = {dict(labels)["reason"] for name, labels in scrape(tiny_url) if name == "digits_refused_total"}
    assert reasons == {"service-error"} | {kind.slug for kind in ServiceError.__subclasses__()}
    assert {"unknown-format", "blank-picture", "not-found"} < reasons


def test_those_who_wait_for_their_bodies_are_not_in_the_queue_and_those_who_wait_for_the_model_are(
    tiny_models: Path,
) -> None:
    reader = Reader(saved_model.load(tiny_models / "2"), max_pixels=1_000_000, max_batch=64, max_pending=3)

    async def ask() -> list[float]:
        reading = [asyncio.create_task(reader.read(encode(band(digit)))) for digit in range(3)]
        await asyncio.sleep(0)
        under_way = [PENDING._value.get()]
        with pytest.raises(Overloaded):
            await reader.read(encode(band(3)))
        await asyncio.gather(*reading)
        return [*under_way, PENDING._value.get()]

    assert asyncio.run(ask()) == [3, 0]


def test_the_processes_use_memory_cpu_and_files(tiny_url: str) -> None:
    samples = {name: value for (name, labels), value in scrape(tiny_url).items() if not labels}
    assert samples["digits_workers"] == 1
    assert 1e7 < samples["process_resident_memory_bytes"] < samples["process_virtual_memory_bytes"]
    assert 0 < time.time() - samples["process_start_time_seconds"] < 86_400
    assert samples["process_cpu_seconds_total"] > 0.1
    assert 3 <= samples["process_open_fds"] <= samples["process_max_fds"]


def test_what_is_built_in_is_told(tiny_url: str) -> None:
    build = next(dict(labels) for name, labels in scrape(tiny_url) if name == "digits_build_info")
    assert build["version"] == __version__
    assert build["python"] == platform.python_version()
    assert build["engine"] == "tensorflow"
    for engine in ("tensorflow", "litert"):
        assert re.fullmatch(r"2\.\d+\.\d+.*", build[engine])


def test_an_answer_that_lingers_for_a_body_is_counted_when_it_leaves(tiny_url: str) -> None:
    address = httpx.URL(tiny_url)
    before = requests(scrape(tiny_url), "POST", "unmatched", 404)
    with socket.create_connection((address.host, address.port or 0)) as raw:
        raw.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n12")
        assert raw.recv(65536).endswith(b"}")  # and the rest of the body is still waited for
        assert requests(scrape(tiny_url), "POST", "unmatched", 404) == before + 1
