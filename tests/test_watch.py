"""The watch, look by look: what is loaded when, what is refused, and what the log says of it."""

import gc
import logging
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from app.model import saved_model
from app.model.model import Model
from app.model.watch import Watch
from app.reader import Reader
from tests.conftest import write_version
from tests.support import waiting


class Watched:
    """A model folder, its watch, and the versions that have been served, in order; None: there was none."""

    def __init__(self, folder: Path, wanted: int | None = None) -> None:
        self.folder = folder
        self.served: list[int | None] = []
        self.watch = Watch(saved_model, folder, wanted, 1, self._serve)

    def _serve(self, model: Model | None) -> None:
        self.served.append(model.version if model else None)

    def look(self, times: int = 1) -> "Watched":
        for _ in range(times):
            self.watch.look()
        return self

    def begin(self) -> "Watched":
        self.watch.begin()
        return self


@pytest.fixture
def publish(tmp_path: Path, tiny_models: Path) -> Callable[[int], Path]:
    """Puts a version into `tmp_path / "tiny"`."""

    def publish(number: int) -> Path:
        version = tmp_path / "tiny" / str(number)
        shutil.copytree(tiny_models / "1", version)
        (version / "metadata.json").touch()  # copytree keeps the times: this is another version nevertheless
        return version

    return publish


Publish = Callable[[int], Path]


def test_at_the_beginning_the_newest_is_loaded_at_once(publish: Publish) -> None:
    publish(1)
    assert Watched(publish(2).parent).begin().served == [2]


def test_a_new_version_is_loaded_when_two_looks_found_it_unchanged(publish: Publish) -> None:
    watched = Watched(publish(1).parent).begin()
    version = publish(2)
    assert watched.look().served == [1]
    with (version / "variables" / "more").open("w") as file:  # somebody is still copying
        file.write("x")
    assert watched.look().served == [1]
    assert watched.look().served == [1, 2]
    assert watched.look(3).served == [1, 2]


def test_another_version_of_the_same_number_is_loaded_too(publish: Publish) -> None:
    watched = Watched(publish(1).parent).begin()
    shutil.rmtree(publish(2))
    shutil.rmtree(watched.folder / "1")
    publish(1)
    assert watched.look(3).served == [1, 1]


def test_removing_the_newest_rolls_back_and_removing_all_changes_nothing(
    publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    publish(1)
    version = publish(2)
    watched = Watched(version.parent).begin()
    shutil.rmtree(version)
    assert watched.look(3).served == [2, 1]
    shutil.rmtree(watched.folder / "1")
    assert watched.look(3).served == [2, 1]
    assert caplog.text.count("version 1 serves on: no version in") == 1
    publish(1)
    assert watched.look(3).served == [2, 1, 1]
    shutil.rmtree(watched.folder)  # the folder itself
    assert watched.look(3).served == [2, 1, 1]
    assert caplog.text.count("No such file") == 1


def test_a_broken_version_is_tried_once_and_again_when_its_files_change(
    publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(publish(1).parent).begin()
    metadata = publish(2) / "metadata.json"
    whole = metadata.read_bytes()
    metadata.write_text("{")
    assert watched.look(4).served == [1]
    assert caplog.text.count("refused version 2: ") == caplog.text.count("; version 1 serves on") == 1
    metadata.write_bytes(whole)
    assert watched.look(2).served == [1, 2]


def test_a_broken_newest_is_passed_over_and_the_next_is_loaded(publish: Publish) -> None:
    for number in (1, 2, 3):
        publish(number)
    folder = publish(4).parent
    for number in (3, 4):
        (folder / str(number) / "saved_model.pb").write_bytes(b"")
    watched = Watched(folder).begin()
    assert watched.look(3).served == [2]


def spoil(version: Path) -> Path:
    """Has the disk fail in `version`: a link that leads to itself can't be followed, whoever asks."""
    loop = version / "variables" / "loop"
    loop.symlink_to(loop)
    return loop


def test_a_version_that_cannot_be_read_stands_in_no_other_s_way(
    publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    publish(1)
    loop = spoil(publish(2))
    watched = Watched(loop.parents[2]).begin()
    publish(3)
    spoil(publish(4))
    assert watched.look(6).served == [1, 3]
    assert caplog.text.count("refused version 2: it can't be read: ") == 1
    assert caplog.text.count("refused version 4: it can't be read: ") == 1
    shutil.rmtree(watched.folder / "3")
    loop.unlink()
    assert watched.look(3).served == [1, 3, 2]


def test_the_served_version_goes_on_though_it_cannot_be_read_any_more(
    publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    publish(1)
    version = publish(2)
    watched = Watched(version.parent).begin()
    loop = spoil(version)
    assert watched.look(4).served == [2]
    assert caplog.text.count("version 2 serves on: it can't be read any more: ") == 1
    publish(3)
    assert watched.look(2).served == [2, 3]
    loop.unlink()
    assert watched.look(2).served == [2, 3]


def test_what_failed_for_a_passing_reason_is_tried_again(
    publish: Publish, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.model.watch.AGAIN_SECONDS", 0.2)
    watched = Watched(publish(1).parent).begin()
    publish(2)
    with monkeypatch.context() as patch:
        patch.setattr(saved_model, "load", lambda _: bytearray(1 << 62))  # MemoryError
        watched.look(3)
        for _ in waiting("the second try"):
            watched.look()
            if caplog.text.count("refused version 2: ") == 2:
                break
    assert watched.look().served == [1]
    for _ in waiting("the third try"):
        if watched.look().served == [1, 2]:
            break


def test_with_none_to_begin_with_it_goes_on_looking(publish: Publish, caplog: pytest.LogCaptureFixture) -> None:
    version = publish(1)
    (version / "saved_model.pb").write_bytes(b"")
    watched = Watched(version.parent).begin().look(2)
    assert watched.served == [None]
    assert caplog.text.count("not ready: no version in") == 1
    shutil.rmtree(version)
    publish(1)
    assert watched.look(2).served == [None, 1]


def test_only_the_wanted_version_is_served(publish: Publish) -> None:
    publish(1)
    publish(2)
    watched = Watched(publish(3).parent, wanted=2).begin()
    shutil.rmtree(watched.folder / "2")
    publish(4)
    assert watched.look(3).served == [2]
    publish(2)
    assert watched.look(3).served == [2, 2]


@pytest.mark.parametrize("change", [shutil.rmtree, lambda version: os.utime(version / "saved_model.pb")])
def test_what_vanishes_or_changes_while_it_is_loaded_is_not_served(
    change: Callable[[Path], object],
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(publish(1).parent).begin()
    load = saved_model.load

    def load_slowly(version: Path) -> Model:
        model = load(version)
        change(version)
        return model

    publish(2)
    watched.look()
    with monkeypatch.context() as patch:
        patch.setattr(saved_model, "load", load_slowly)
        assert watched.look().served == [1]
    assert "refused version 2: it was changed or removed while it was loaded; version 1 serves on" in caplog.text
    if (watched.folder / "2").exists():
        assert watched.look(2).served == [1, 2]


def test_whatever_goes_wrong_the_watch_goes_on(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(publish(1).parent).begin()
    publish(2)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda _: 1 / 0)
        watched.look(3)
    assert watched.look(2).served == [1, 2]


def test_a_version_that_is_tried_says_why_it_failed(
    tmp_path: Path, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watched = Watched(publish(1).parent).begin()
    write_version(watched.folder, 2, labels=["a"])
    watched.look(2)
    assert "refused version 2: Expected a list of 10 strings as 'labels'" in caplog.text
    assert "ready: tiny version 1" in caplog.text


def test_a_model_is_let_go_of_once_another_answers_and_the_watch_ends_when_it_is_told(publish: Publish) -> None:
    served: list[weakref.ref[Model]] = []
    readers: list[Reader] = []

    def serve(model: Model | None) -> None:
        assert model
        served.append(weakref.ref(model))
        readers[:] = [readers[0].with_model(model) if readers else Reader(model, 784, 1, 1)]

    folder = publish(1).parent
    others = set(threading.enumerate())
    watch = Watch(saved_model, folder, None, 0.02, serve)
    watch.start()
    for _ in waiting("the first version"):
        if served:
            break
    gc.disable()  # only what the watch itself does counts
    try:
        publish(2)
        for _ in waiting("the old model to be gone"):
            if len(served) == 2 and served[0]() is None:
                break
    finally:
        gc.enable()
    watch.stop()
    publish(3)
    assert not any(thread.name == "watch" for thread in set(threading.enumerate()) - others)
