"""The service on a Ray cluster of two machines: it answers as the plain one does, whatever becomes of its replicas."""

import base64
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client import Client, ClientError, Prediction
from app.settings import Settings
from benchmarks.nodes import Cluster
from tests.conftest import serving
from tests.support import CHECKOUT, assert_same, encode, waiting
from training.dataset import Dataset

pytestmark = pytest.mark.alone

URL = "http://127.0.0.1:8000"
KEY = "a-key-that-nobody-guesses"
PICTURES = 200  # of MNIST, each asked about by itself
THREADS = 3  # that ask one question after the other,
PAUSE_SECONDS = 0.05  # and leave the two CPUs of a small machine something for what is to be started
REPLICA = "ray::ServeReplica:digits"
PATIENCE_SECONDS = 60
LOOK_SECONDS = 0.2  # to look at all processes takes a CPU some time, and those are to start meanwhile


@pytest.fixture(scope="module")
def pictures(mnist: Dataset) -> list[bytes]:
    return [encode(image) for image in mnist.x_test[:PICTURES]]


@pytest.fixture(scope="module")
def served(two_nodes: Cluster) -> Cluster:
    """Two nodes that serve version 2 by a replica each, to those who have the key."""
    deploy(two_nodes, 2)
    return two_nodes


@pytest.fixture(scope="module")
def plain(pictures: list[bytes]) -> dict[int, list[Prediction | Any]]:
    """What the plain service answers to `pictures`, by version of the model."""
    answers = {}
    for version in (1, 2):
        with serving(Settings(model_version=version)) as url, Client(url) as client:
            answers[version] = client.predict_batch(pictures)
    return answers


def deploy(made: Cluster, version: int) -> None:
    words = ("app.cluster", "--address", made.address, "--workers", "2", "--model-version", str(version))
    done = made.run(*words, DIGITS_API_KEYS=KEY, DIGITS_LOG_FORMAT="json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"INFO listening on {URL}")


@dataclass
class Load:
    """Clients of this project that ask about `pictures` and compare with `plain`."""

    made: Cluster
    pictures: list[bytes]
    plain: dict[int, list[Any]]
    versions: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def answered(self) -> int:
        return self.versions.total()

    def ask(self, first: int) -> None:
        """In a thread, until it is over."""
        self.made.network.enter()
        with Client(URL, api_key=KEY, patience_s=PATIENCE_SECONDS) as client:
            number = first
            while not self.over.is_set():
                number = (number + 1) % len(self.pictures)
                try:
                    answer = client.predict(self.pictures[number])
                except ClientError as error:
                    self.failures.append(f"{type(error).__name__}: {error}")
                    continue
                if differs(answer, self.plain[answer.model.version][number]):
                    self.failures.append(f"{answer} to picture {number}")
                self.versions[answer.model.version] += 1
                self.over.wait(PAUSE_SECONDS)

    def wait(self, more: int = 25) -> None:
        """Until so many more are answered."""
        before = self.answered
        for _ in waiting("answers"):
            if self.answered >= before + more or self.failures:
                return


def differs(answer: Prediction, expected: Prediction) -> bool:
    far = max(abs(a - b) for a, b in zip(answer.probabilities, expected.probabilities, strict=True))
    return answer.digit != expected.digit or far > 1e-5


@contextmanager
def under_load(made: Cluster, pictures: list[bytes], plain: dict[int, list[Any]]) -> Iterator[Load]:
    """Yields when it is under way; at the end, nothing may have failed."""
    load = Load(made, pictures, plain)
    threads = [threading.Thread(target=load.ask, args=(k * len(pictures) // THREADS,)) for k in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        load.wait()
        yield load
        load.wait()
    finally:
        load.over.set()
        for thread in threads:
            thread.join()
    assert load.failures == []


def replicas(made: Cluster) -> set[int]:
    return {pid for node in made.nodes for pid in node.processes(REPLICA)}


def test_answers_are_those_of_the_plain_service(
    served: Cluster, pictures: list[bytes], plain: dict[int, list[Any]], shipped_url: str
) -> None:
    with under_load(served, pictures, plain) as load:
        load.wait(PICTURES)
    assert set(load.versions) == {2}
    here, there = asked(shipped_url), served.network.inside(lambda: asked(URL))
    assert [status for status, _ in here] == [200] * 9 + [415, 422, 404, 405]
    assert_same(there, here)


def asked(url: str) -> list[tuple[int, Any]]:
    """Status and answer of questions to several endpoints, right and wrong ones."""
    folder = CHECKOUT / "tests" / "pictures"
    seven, card, note = ((folder / name).read_bytes() for name in ("seven.png", "card.jpg", "note.jpg"))
    octets, tensor = {"Content-Type": "application/octet-stream"}, base64.b64encode(seven).decode()
    infer = {"inputs": [{"name": "images", "datatype": "BYTES", "shape": [1], "data": [tensor]}]}
    instances = {"signature_name": "images", "instances": [{"b64": tensor}]}
    with httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=30) as client:
        answers = [
            client.post("/predict", files={"file": card}, params={"preview": "true"}),
            client.post("/predict", content=seven, headers={"Content-Type": "image/png"}),
            client.post("/predict/batch", files=[("files", seven), ("files", b"no picture"), ("files", card)]),
            client.post("/predict/batch", content=bytes(784 * 3), headers=octets),
            client.post("/read", files={"file": note}),
            client.post("/explain", content=seven, headers={"Content-Type": "image/png"}),
            client.post("/v2/models/mnist_mlp/infer", json=infer),
            client.post("/v1/models/mnist_mlp:predict", json=instances),
            client.get("/model"),
            client.post("/predict", files={"file": b"no picture"}),
            client.post("/predict", content=seven[:100], headers={"Content-Type": "image/png"}),
            client.get("/nowhere"),
            client.get("/predict"),
        ]
    return [(each.status_code, each.json()) for each in answers]


def test_settings_travel_to_the_replicas_and_keys_are_written_nowhere(served: Cluster) -> None:
    def statuses() -> list[int]:
        return [httpx.get(URL + "/model", headers={"X-API-Key": key}).status_code for key in (KEY, "another-key", "")]

    assert served.network.inside(statuses) == [200, 401, 401]
    files = [path for path in served.folder.rglob("*") if path.is_file()]
    logs = {path: path.read_bytes() for path in files}
    assert any(b'"message":"request"' in text for text in logs.values())  # the format of the log has come, too
    assert [path for path, text in logs.items() if KEY.encode() in text] == []


def test_whichever_replica_is_asked_has_everybodys_figures(served: Cluster) -> None:
    text = served.network.inside(lambda: httpx.get(URL + "/metrics").text)
    lines = [line for line in text.splitlines() if line.startswith("digits_requests_total{") and 'status="200"' in line]
    counted = {line.split('replica="')[1].split('"')[0] for line in lines}
    assert len(counted) == 2  # both were asked
    assert sum(float(line.split()[-1]) for line in lines) >= PICTURES


def test_no_thread_that_runs_the_model_can_be_interrupted(served: Cluster) -> None:
    for replica in replicas(served):
        threads = [path.read_text() for path in Path(f"/proc/{replica}/task").glob("*/status")]
        ours = [each for each in threads if "Name:\ttf_" in each or "Name:\tpictures" in each]
        assert ours
        for each in ours:
            blocked = int(each.split("SigBlk:")[1].split()[0], 16)
            assert blocked >> (signal.SIGTERM - 1) & 1
            assert blocked >> (signal.SIGINT - 1) & 1
        environment = Path(f"/proc/{replica}/environ").read_bytes().split(b"\0")
        assert {b"OPENBLAS_NUM_THREADS=1", b"TF_NUM_INTRAOP_THREADS=1"} <= set(environment)


def test_a_replica_that_is_killed_is_replaced_and_nobody_notices(
    served: Cluster, pictures: list[bytes], plain: dict[int, list[Any]]
) -> None:
    with under_load(served, pictures, plain) as load:
        before = replicas(served)
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        for _ in waiting("another replica"):
            if replicas(served) - before:
                break
            time.sleep(LOOK_SECONDS)
    print(f"a replica killed: {load.answered} answered, none failed")


def test_all_replicas_are_updated_one_after_the_other_and_nobody_notices(
    served: Cluster, pictures: list[bytes], plain: dict[int, list[Any]]
) -> None:
    with under_load(served, pictures, plain) as load:
        before, began = replicas(served), time.monotonic()
        deploy(served, 1)
        seconds = time.monotonic() - began
        load.versions.clear()
        load.wait()
        assert set(load.versions) == {1}
        assert not replicas(served) & before
    print(f"all replicas updated in {seconds:.0f} s: none failed")


def test_a_node_that_is_lost_is_not_noticed(
    served: Cluster, pictures: list[bytes], plain: dict[int, list[Any]]
) -> None:
    with under_load(served, pictures, plain) as load:
        served.nodes[1].kill()
        load.wait(80)
    assert len(replicas(served)) == 1
    print(f"a node lost: {load.answered} answered, none failed")


def test_it_can_be_stopped(served: Cluster) -> None:
    stopped = served.run("app.cluster", "--address", served.address, "--stop")
    assert (stopped.returncode, stopped.stderr.split(" INFO ")[-1]) == (0, "stopped\n")
    with pytest.raises(httpx.ConnectError):
        served.network.inside(lambda: httpx.get(URL + "/livez"))
