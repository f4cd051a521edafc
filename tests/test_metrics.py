"""GET /metrics: what is counted is what was asked, and no client makes the labels grow."""

import re
import secrets
import socket
import time
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from app.telemetry.metrics import REQUESTS, count_request
from tests.support import band, encode, running_service, waiting

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(url: str) -> Samples:
    response = httpx.get(url + "/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
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


def test_several_workers_are_added_up(tmp_path: Path, tiny_models: Path) -> None:
    with running_service(tmp_path, "--model-dir", str(tiny_models), "--workers", "2", wait=False) as service:
        service.wait_until_ready(2)
        for digit in range(40):  # each with a connection of its own: both workers get some
            httpx.post(service.url + "/predict", files={"file": encode(band(digit % 10))})
        for _ in range(6):  # whichever of them answers
            assert requests(scrape(service.url), "POST", "/predict", 200) == 40
        log = service.log.read_text()
    workers = {line.split()[-1][:12] for line in re.findall(r'.*"POST /predict" 200.*', log)}
    assert len(workers) == 2
