"""The metrics equal what clients counted themselves, whichever of two workers is asked, and when."""

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support import LITERT, Service, band, encode, running_service, waiting, workers_of
from tests.test_metrics import Samples, samples_of, scrape

PNG = {"Content-Type": "image/png"}
FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}
RAW = {"Content-Type": "application/octet-stream"}
Count = tuple[str, ...]


def form(*files: bytes) -> bytes:
    head = b'--xyz\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    return b"".join(head + each + b"\r\n" for each in files) + b"--xyz--\r\n"


class Client(threading.Thread):
    """Asks one thing after the other on a connection that it keeps, and counts what it is answered."""

    def __init__(self, url: str, requests: int, seed: int) -> None:
        super().__init__()
        address = httpx.URL(url)
        self.connection = HTTPConnection(address.host, address.port, timeout=60)
        self.counts: Counter[Count] = Counter()
        self.confidence = 0.0
        self._requests = requests
        self._random = random.Random(seed)

    def run(self) -> None:
        for _ in range(self._requests):
            self.ask(self._random.randrange(10), self._random.choice(list(WAYS)))
        self.connection.close()

    def ask(self, digit: int, way: str) -> None:
        method, path, route, headers, body = WAYS[way]
        accept = {"Accept": "application/octet-stream"} if way == "raw floats" else {}
        self.connection.request(method, path, body(digit), headers | accept)
        response = self.connection.getresponse()
        answer = response.read()
        self.counts["requests", method, route, str(response.status)] += 1
        if way == "raw floats":
            for row in np.frombuffer(answer, "<f4").reshape(-1, 10):
                self._count({"digit": int(row.argmax()), "confidence": float(row.max())})
        elif route in ("/predict", "/predict/batch", "/explain", "unmatched") and method != "HEAD":
            document = json.loads(answer)
            for each in document.get("results", [document]):
                self._count(each)

    def _count(self, answer: dict[str, Any]) -> None:
        if "digit" in answer:
            self.counts["digits", str(answer["digit"])] += 1
            self.confidence += answer["confidence"]
        else:
            self.counts["refused", answer["type"].removeprefix("urn:digits:")] += 1


def picture(digit: int) -> bytes:
    return encode(band(digit))


# name: method, path, route, headers, what makes a body for a digit
WAYS: dict[str, tuple[str, str, str, dict[str, str], Any]] = {
    "hot": ("POST", "/predict", "/predict", PNG, picture),
    "thorough": ("POST", "/predict?fit=never", "/predict", PNG, picture),
    "bad, hot": ("POST", "/predict", "/predict", PNG, lambda _: b"hello"),
    "bad, thorough": ("POST", "/predict?fit=never", "/predict", PNG, lambda _: picture(1)[:-20]),
    "bad query": ("POST", "/predict?fit=maybe", "/predict", PNG, picture),
    "explained": ("POST", "/explain", "/explain", PNG, picture),
    "files": ("POST", "/predict/batch", "/predict/batch", FORM, lambda d: form(picture(d), b"", b"hello", picture(3))),
    "raw": ("POST", "/predict/batch", "/predict/batch", RAW, lambda d: band(d).tobytes() * 3),
    "raw floats": ("POST", "/predict/batch", "/predict/batch", RAW, lambda d: band(d).tobytes() * 5),
    "ragged": ("POST", "/predict/batch", "/predict/batch", RAW, lambda _: b"123"),
    "nowhere": ("POST", "/nowhere", "unmatched", PNG, picture),  # and the connection is closed
    "alive": ("GET", "/livez", "/livez", {}, lambda _: None),
    "alive, head": ("HEAD", "/livez", "/livez", {}, lambda _: None),
}


def counted(samples: Samples) -> Counter[Count]:
    """What `Client` counts, as the metrics have it."""
    counts: Counter[Count] = Counter()
    for (name, labels), value in samples.items():
        of = dict(labels)
        if name == "digits_requests_total" and of["route"] not in ("/metrics", "/readyz"):
            counts["requests", of["method"], of["route"], of["status"]] = int(value)
        elif name == "digits_refused_total" and of["reason"] != "not-ready":
            counts["refused", of["reason"]] = int(value)
        elif name == "digits_predictions_total":
            counts["digits", of["digit"]] = int(value)
    return +counts


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("counts")
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", "2")
    with running_service(folder, *options, wait=False) as service:
        service.wait_until_ready(2)
        yield service


def test_several_clients_count_what_the_metrics_count(service: Service) -> None:
    before = scrape(service.url)
    clients = [Client(service.url, 120, seed) for seed in range(6)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    own = sum((each.counts for each in clients), Counter[Count]())
    assert len([way for way in own if way[0] == "refused"]) >= 6
    assert len([way for way in own if way[0] == "digits"]) == 10
    for _ in range(6):  # whichever worker answers
        after = scrape(service.url)
        assert counted(after) - counted(before) == own
    name: tuple[str, frozenset[tuple[str, str]]] = ("digits_confidence_sum", frozenset())
    assert after[name] - before[name] == pytest.approx(sum(each.confidence for each in clients), rel=1e-5)
    durations = sum(value for (name, _), value in after.items() if name == "digits_request_duration_seconds_count")
    assert durations == sum(value for (name, _), value in after.items() if name == "digits_requests_total")
    assert after["digits_pending_requests", frozenset()] == 0


def test_who_has_an_answer_finds_it_counted_at_the_other_worker(service: Service) -> None:
    one, other = at_each_worker(service)
    way = ("requests", "POST", "/predict", "200")
    before = metrics_at(other)[way]
    for number in range(60):
        one.ask(number % 10, "hot" if number % 2 else "thorough")
        assert metrics_at(other)[way] == before + number + 1
    for each in (one, other):
        each.connection.close()


def at_each_worker(service: Service) -> list[Client]:
    """Clients whose connections end at different workers, as the ids that these make show."""
    found: dict[str, Client] = {}
    for _ in waiting("a connection to each worker"):
        client = Client(service.url, 0, 0)
        client.connection.request("GET", "/livez")
        response = client.connection.getresponse()
        response.read()
        worker = response.headers["X-Request-ID"][:12]
        found.setdefault(worker, client)
        if found[worker] is not client:
            client.connection.close()
        if len(found) == 2:
            break
    return list(found.values())


def metrics_at(client: Client) -> Counter[Count]:
    client.connection.request("GET", "/metrics")
    return counted(samples_of(client.connection.getresponse().read().decode()))


def test_a_worker_that_is_killed_takes_no_counts_with_it(service: Service) -> None:
    client = Client(service.url, 30, 7)
    client.run()
    clients = at_each_worker(service)
    before = scrape(service.url)
    killed = workers_of(service)[0]
    os.kill(killed, signal.SIGKILL)
    for _ in waiting("its parent to notice"):
        if not Path(f"/proc/{killed}").exists():
            break
    cpu = ("process_cpu_seconds_total", frozenset[tuple[str, str]]())
    assert cpu_at_survivor(clients, cpu) >= before[cpu]
    for _ in waiting("the new worker"):
        if service.log.read_text().count(" ready: ") == 3:
            break
    after = scrape(service.url)
    assert counted(after) == counted(before)
    assert after["digits_workers", frozenset()] == 2


def cpu_at_survivor(clients: list[Client], cpu: tuple[str, frozenset[tuple[str, str]]]) -> float:
    """While the other worker's place is empty: new connections wait there."""
    found = []
    for each in clients:
        with suppress(OSError, HTTPException):
            each.connection.request("GET", "/metrics")
            found.append(samples_of(each.connection.getresponse().read().decode())[cpu])
        each.connection.close()
    assert len(found) == 1
    return found[0]
