"""A version appears whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from app.model import saved_model
from app.model.versions import choose_version, list_versions
from tests.conftest import tiny_weights
from tests.support import CHECKOUT, forward
from training.errors import TrainingError
from training.publish import INCOMING, LEFTOVER_SECONDS, Expected, check_folder, publish

IMAGES = np.random.default_rng(1).integers(0, 256, (64, 28, 28), np.uint8)
METADATA = {"labels": [str(digit) for digit in range(10)], "note": "größer"}


def predict(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return forward(tiny_weights(), pixels)


EXPECTED = Expected(predict, IMAGES)


def test_the_next_version_is_published_whole(tmp_path: Path) -> None:
    models = tmp_path / "new" / "models"
    for number in (1, 2):
        folder = publish(tiny_weights(), EXPECTED, METADATA, models)
        assert folder == models / str(number)
    assert list_versions(models) == [1, 2]
    assert sorted(entry.name for entry in models.iterdir()) == ["1", "2"]
    assert json.loads((folder / "metadata.json").read_text("utf-8")) == METADATA
    pixels = np.random.default_rng(0).random((5, 784), np.float32)
    assert np.abs(saved_model.load(folder)(pixels) - predict(pixels)).max() <= 1e-5


def test_the_number_after_the_highest_is_taken_whatever_that_is(tmp_path: Path) -> None:
    (tmp_path / "41").mkdir()
    (tmp_path / "41" / "unfinished").touch()
    assert publish(tiny_weights(), EXPECTED, METADATA, tmp_path).name == "42"


def test_what_is_published_is_readable_by_another_user(tmp_path: Path) -> None:
    folder = publish(tiny_weights(), EXPECTED, METADATA, tmp_path)
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o004, path


def test_two_that_publish_at_once_get_two_numbers(tmp_path: Path) -> None:
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(publish(tiny_weights(), EXPECTED, METADATA, tmp_path)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folder.name for folder in folders) == ["1", "2", "3"]
    assert list_versions(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pixels: predict(pixels) + 1e-4,
        lambda pixels: predict(pixels) * np.nan,
        lambda pixels: predict(1 - pixels),
        lambda pixels: predict(pixels) + 1e-4 * (len(pixels) == 1),
        lambda pixels: predict(pixels) + 1e-4 * (len(pixels) == 7),
    ],
    ids=["a little", "no number", "inverted", "one alone", "seven together"],
)
def test_a_model_that_answers_otherwise_than_the_trained_one_is_not_published(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(TrainingError, match="Nothing is published"):
        publish(tiny_weights(), Expected(wrong, IMAGES), METADATA, tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for models in (tmp_path / "file", tmp_path / "file" / "models", Path("/proc/models")):
        with pytest.raises(TrainingError, match="Expected a folder that can be written to"):
            check_folder(models)


def test_old_leftovers_of_killed_runs_are_removed_and_young_ones_left(tmp_path: Path) -> None:
    old, young = tmp_path / f"{INCOMING}old", tmp_path / f"{INCOMING}young"
    for folder in (old, young):
        (folder / "0").mkdir(parents=True)
    long_ago = time.time() - LEFTOVER_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    check_folder(tmp_path)
    assert not old.exists()
    assert young.exists()


STEP_BY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from tests.conftest import tiny_weights
from tests.test_publish import EXPECTED, METADATA
from training import publish

models, left, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
steps = 0

def trace(frame, event, argument):
    global steps
    if frame.f_code.co_filename != publish.__file__:
        return None
    steps += 1
    shutil.copytree(models, left / str(steps))
    if steps == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
publish.publish(tiny_weights(), EXPECTED, METADATA, models)
"""


def publish_until(step: int, models: Path, left: Path) -> int:
    """Publishes in a process of its own that is killed at the given step of publish.py's lines; 0: at none.

    Copies what is in `models` at each step to `left`. Gives the status.
    """
    models.mkdir()
    command = [sys.executable, "-c", STEP_BY_STEP, str(models), str(left), str(step)]
    return subprocess.run(command, cwd=CHECKOUT, check=False).returncode


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What somebody who is killed at each step leaves on the disk."""
    folder = tmp_path_factory.mktemp("steps")
    assert publish_until(0, folder / "models", folder / "left") == 0
    return sorted((folder / "left").iterdir(), key=lambda step: int(step.name))


def numbers_in(models: Path) -> list[str]:
    return [entry.name for entry in models.iterdir() if not entry.name.startswith(INCOMING)]


def test_at_no_step_there_is_a_half_version(left: list[Path]) -> None:
    numbers = [numbers_in(models) for models in left]
    absent = numbers.count([])
    assert numbers == [[]] * absent + [["1"]] * (len(left) - absent)
    assert 0 < absent < len(left)
    assert all(list_versions(models) == [] for models in left[:absent])
    for models in left[absent:]:
        assert list_versions(models) == [1]
        saved_model.load(choose_version(models))


@pytest.mark.parametrize("place", [0.8, -2])  # before the rename, and behind it
def test_killed_it_leaves_what_there_was_at_that_step(tmp_path: Path, place: float, left: list[Path]) -> None:
    step = len(left) + int(place) if place < 0 else int(len(left) * place)
    models = tmp_path / "models"
    assert publish_until(step, models, tmp_path / "left") == -signal.SIGKILL
    assert numbers_in(models) == numbers_in(left[step - 1]) == (["1"] if place < 0 else [])
    assert files_in(models) == files_in(left[step - 1])


def files_in(models: Path) -> list[str]:
    """Their names, without that of the folder that they are in while they are incoming."""
    return sorted(path.name for path in models.rglob("*") if path.is_file())


def test_the_saved_model_holds_four_variables_and_its_two_signatures(tmp_path: Path) -> None:
    folder = publish(tiny_weights(), EXPECTED, METADATA, tmp_path)
    loaded = tf.saved_model.load(str(folder))
    assert [tuple(loaded.w1.shape), tuple(loaded.b1.shape)] == [(784, 512), (512,)]
    assert [tuple(loaded.w2.shape), tuple(loaded.b2.shape)] == [(512, 10), (10,)]
    assert set(loaded.signatures) == {"serving_default", "images"}


def test_weights_that_answer_nonsense_are_one_sentence(tmp_path: Path) -> None:
    weights = [each * np.float32(np.nan) for each in tiny_weights()]
    with pytest.raises(TrainingError, match="add up to 1") as caught:
        publish(weights, EXPECTED, METADATA, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_many_that_check_the_folder_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def check() -> None:
        try:
            for _ in range(100):
                check_folder(tmp_path)
        except TrainingError as error:
            failures.append(error)

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
