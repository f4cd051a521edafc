"""Versions that come and go while the real service answers: no request fails, none is answered wrongly."""

import json
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.conftest import tiny_weights
from tests.support import Service, band, encode, running_service, waiting
from training.export import export

pytestmark = pytest.mark.alone

PICTURES = [encode(band(digit)) for digit in range(10)]
LOOK_SECONDS = 0.05
WATCH = ("--watch-seconds", str(LOOK_SECONDS))


def write_turned(version: Path, classes: int = 10) -> None:
    """A version of the tiny model that answers to each picture another digit: `version`'s number more."""
    turn = int(version.name)
    w1, b1, w2, b2 = tiny_weights()
    export([w1, b1, np.roll(w2, turn, axis=1)[:, :classes], np.roll(b2, turn)[:classes]], version)
    labels = [f"version {turn}, digit {digit}" for digit in range(10)]
    (version / "metadata.json").write_text(json.dumps({"labels": labels, "fit": "never"}))
    (version / "report").mkdir()
    (version / "report" / "index.html").write_text(f"the report of version {turn}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 5, to be published, and 6, whose signature is a wrong one."""
    store = tmp_path_factory.mktemp("store")
    for number in range(1, 6):
        write_turned(store / str(number))
    write_turned(store / "6", classes=9)
    return store


class Folder:
    """The model folder of a service."""

    def __init__(self, path: Path, store: Path) -> None:
        self.path, self.store = path, store
        path.mkdir()

    def publish(self, number: int, spoil: Callable[[Path], object] = lambda _: None) -> None:
        """A version appears whole, but for what `spoil` does to it before."""
        incoming = shutil.copytree(self.store / str(number), self.path / ".incoming", copy_function=shutil.copyfile)
        spoil(incoming)
        incoming.rename(self.path / str(number))

    def remove(self, number: int) -> None:
        shutil.rmtree(self.path / str(number))


def cut(name: str) -> Callable[[Path], None]:
    """Leaves half of the file `name` of a version."""
    return lambda version: os.truncate(version / name, (version / name).stat().st_size // 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Folder:
    return Folder(tmp_path_factory.mktemp("models") / "turned", store)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, folder: Folder) -> Iterator[Service]:
    """A service that was started with version 1, and a newer one that is broken."""
    folder.publish(1)
    folder.publish(5, cut("saved_model.pb"))
    with running_service(tmp_path_factory.mktemp("log"), "--model-dir", str(folder.path), *WATCH) as service:
        folder.remove(5)
        yield service
        assert "Traceback" not in service.log.read_text()


def answering(service: Service) -> int:
    answer: int = httpx.get(service.url + "/readyz", timeout=30).json()["model"]["version"]
    return answer


def wait_for(service: Service, version: int) -> None:
    for _ in waiting(f"version {version} to answer"):
        if answering(service) == version:
            return


def wait_for_line(service: Service, pattern: str, times: int = 1) -> None:
    for _ in waiting(f"a line like {pattern!r} in the log"):
        if len(re.findall(pattern, service.log.read_text())) >= times:
            return


def metric(service: Service, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (.*)$", httpx.get(service.url + "/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0


REFUSED, LOADED = 'digits_model_loads_total{result="refused"}', 'digits_model_loads_total{result="loaded"}'


class Asking(threading.Thread):
    """Asks until told to stop; counts the versions that answered, and keeps what wasn't right."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.over = threading.Event()
        self.answers: Counter[int] = Counter()
        self.bad: list[str] = []
        self._url = url

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while not self.over.is_set():
                digit = self.answers.total() % 10
                # the hot path, and the thorough one
                response = client.post("/predict", params={"fit": "auto"} if digit % 2 else {}, content=PICTURES[digit])
                version = response.json()["model"]["version"] if response.status_code == 200 else 0
                self.answers[version] += 1
                if not version or response.json()["digit"] != (digit + version) % 10:
                    self.bad.append(response.text)

    def __enter__(self) -> "Asking":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()


def test_a_broken_newest_version_at_the_start_is_passed_over(service: Service) -> None:
    assert answering(service) == 1
    assert re.search("refused version 5: TensorFlow can't load .*; not ready", service.log.read_text())
    assert (metric(service, LOADED), metric(service, REFUSED)) == (1, 1)


def test_under_load_versions_come_and_go_and_every_answer_is_right(service: Service, folder: Folder) -> None:
    loads = metric(service, LOADED)
    with Asking(service.url) as one, Asking(service.url) as two, Asking(service.url) as three:
        for newest in (2, 3, -3, 4, 3, -4, -3, -2):
            if newest > 0:
                folder.publish(newest)
            else:
                folder.remove(-newest)
            wait_for(service, max(int(each.name) for each in folder.path.iterdir()))
    assert one.bad == two.bad == three.bad == []
    assert {*one.answers, *two.answers, *three.answers} == {1, 2, 3, 4}
    # 3 came a second time below 4, and answered when that was gone
    assert metric(service, LOADED) == loads + 7
    assert metric(service, 'digits_model_version{model="turned"}') == 1
    assert re.search("swapped: turned version 3 for version 4", service.log.read_text())


SPOILT = {
    "a truncated graph": (3, cut("saved_model.pb"), "TensorFlow can't load"),
    "truncated variables": (3, cut("variables/variables.data-00000-of-00001"), "TensorFlow can't load"),
    "a truncated index": (3, cut("variables/variables.index"), "TensorFlow can't load"),
    "no variables": (
        3,
        lambda version: [each.unlink() for each in (version / "variables").iterdir()],
        "TensorFlow can't",
    ),
    "no labels": (3, lambda version: (version / "metadata.json").write_text("{}"), "Expected a list of 10 strings"),
    "a wrong signature": (6, lambda _: None, r"Expected that 'serving_default' .* gives .*\(None, 9\)"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_spoilt_version_is_refused_and_the_old_one_serves_on(kind: str, service: Service, folder: Folder) -> None:
    number, spoil, reason = SPOILT[kind]
    before, length = metric(service, REFUSED), len(service.log.read_text())
    with Asking(service.url) as asking:
        folder.publish(number, spoil)
        for _ in waiting("the refusal"):
            if metric(service, REFUSED) > before:
                break
        time.sleep(5 * LOOK_SECONDS)  # it isn't tried again and again
    folder.remove(number)
    assert asking.bad == []
    assert set(asking.answers) == {1}
    assert metric(service, REFUSED) == before + 1
    lines = [line for line in service.log.read_text()[length:].splitlines() if "refused" in line]
    assert len(lines) == 1
    assert re.search(f"ERROR refused version {number}: {reason}.*; version 1 serves on$", lines[0])


def test_an_incomplete_version_is_no_version_yet(service: Service, folder: Folder) -> None:
    before = metric(service, REFUSED)
    with Asking(service.url) as asking:
        (folder.path / "7").mkdir()
        (folder.path / "7" / "variables").mkdir()
        time.sleep(5 * LOOK_SECONDS)
    shutil.rmtree(folder.path / "7")
    assert asking.bad == []
    assert set(asking.answers) == {1}
    assert metric(service, REFUSED) == before


def test_a_version_that_is_copied_slowly_answers_when_it_is_whole(service: Service, folder: Folder) -> None:
    with Asking(service.url) as asking:
        for name in ("report", "variables"):
            (folder.path / "2" / name).mkdir(parents=True)
        for source in sorted((folder.store / "2").rglob("*.*")):  # metadata.json first, the variables last
            with (folder.path / "2" / source.relative_to(folder.store / "2")).open("wb") as file:
                whole = source.read_bytes()
                for start in range(0, len(whole), len(whole) // 10 + 1):
                    file.write(whole[start : start + len(whole) // 10 + 1])
                    file.flush()
                    time.sleep(LOOK_SECONDS / 5)
        wait_for(service, 2)
    folder.remove(2)
    wait_for(service, 1)
    assert asking.bad == []
    assert set(asking.answers) == {1, 2}


def test_versions_that_vanish_at_any_moment_do_no_harm(service: Service, folder: Folder) -> None:
    with Asking(service.url) as asking:
        for turn in range(20):
            folder.publish(2)
            time.sleep(2 * LOOK_SECONDS + turn * 0.005)  # until it is about to be loaded, being loaded, or serves
            folder.remove(2)
        wait_for(service, 1)
    assert asking.bad == []
    assert set(asking.answers) <= {1, 2}


def test_all_that_is_told_of_a_version_changes_with_it(service: Service, folder: Folder) -> None:
    for number in (1, 2):
        if number > 1:
            folder.publish(number)
        wait_for(service, number)
        model = httpx.get(service.url + "/model").json()
        assert (model["version"], model["versions"]) == (number, list(range(1, number + 1)))
        assert model["labels"] == model["metadata"]["labels"]
        assert model["labels"][7] == f"version {number}, digit 7"
        assert httpx.get(service.url + "/model/report").text == f"the report of version {number}"
        explained = httpx.post(service.url + "/explain", content=PICTURES[5]).json()
        assert (explained["digit"], explained["model"]["version"]) == (5 + number, number)
        assert explained["label"] == f"version {number}, digit {5 + number}"
        rows = np.array(explained["importances"]).sum(axis=1)
        assert rows.argmax() in (14, 15)  # where the band is
        assert explained["score"]["picture"] > explained["score"]["baseline"]


def test_with_no_version_left_the_last_one_serves_on_and_the_log_says_so_once(service: Service, folder: Folder) -> None:
    last = answering(service)
    for each in list(folder.path.iterdir()):
        folder.remove(int(each.name))
    wait_for_line(service, f"version {last} serves on: no version in ")
    time.sleep(5 * LOOK_SECONDS)
    assert len(re.findall("serves on: no version in ", service.log.read_text())) == 1
    assert answering(service) == last
    folder.publish(1)
    wait_for(service, 1)


def test_a_folder_that_is_mended_mends_the_service(tmp_path: Path, store: Path) -> None:
    folder = Folder(tmp_path / "mended", store)
    folder.publish(1, cut("saved_model.pb"))
    with running_service(tmp_path, "--model-dir", str(folder.path), *WATCH, wait=False) as service:
        wait_for_line(service, "not ready: no version in ")
        refusal = httpx.get(service.url + "/readyz")
        assert refusal.status_code == 503
        assert "log says why" in refusal.json()["detail"]
        assert httpx.post(service.url + "/predict", content=PICTURES[1]).status_code == 503
        folder.remove(1)
        folder.publish(1)
        wait_for_line(service, r" ready: mended version 1")
        assert answering(service) == 1


def test_each_of_two_workers_swaps_and_a_pinned_version_stays(tmp_path: Path, store: Path) -> None:
    folder = Folder(tmp_path / "pinned", store)
    for number in (1, 2, 3):
        folder.publish(number)
    options = ("--model-dir", str(folder.path), *WATCH, "--workers", "2", "--model-version", "2")
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready(2)
        folder.remove(2)
        wait_for_line(service, "version 2 serves on: no version in ", times=2)
        with Asking(service.url) as one, Asking(service.url) as two:
            folder.publish(2)  # another of the same number
            wait_for_line(service, "swapped: pinned version 2 for version 2", times=2)
            folder.publish(4)
            time.sleep(5 * LOOK_SECONDS)
        assert one.bad == two.bad == []
        assert {*one.answers, *two.answers} == {2}
        assert metric(service, LOADED) == 4
        assert metric(service, 'digits_model_version{model="pinned"}') == 2
