"""A checkpoint is whole or not there, is cheap, and never in the way."""

from pathlib import Path

import numpy as np
import pytest

from app.model.versions import list_versions
from training import checkpoint
from training.checkpoint import Checkpoint, State, open_checkpoint, path_of, read
from training.errors import TrainingError
from training.trained import Epoch

STATE = State(2, {"w": np.arange(6, dtype=np.float32)}, (Epoch(0.5, 0.9), Epoch(0.25, 0.95, 0.3, 0.94)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return path_of(tmp_path, {"seed": 1})


def written(path: Path) -> Path:
    Checkpoint(path, STATE).write()
    return path


def test_what_is_written_is_read_back(path: Path) -> None:
    state = read(written(path))
    assert (state.epoch, state.history) == (STATE.epoch, STATE.history)
    assert state.arrays.keys() == {"w"}
    assert state.arrays["w"].tobytes() == STATE.arrays["w"].tobytes()


def test_it_is_all_that_is_left_in_the_folder_and_no_version(path: Path) -> None:
    written(path)
    assert list(path.parent.iterdir()) == [path]
    assert path.name.startswith(".")
    assert list_versions(path.parent) == []


def test_saving_writes_only_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoint(path)
    kept.save(STATE)
    assert not path.exists()
    monkeypatch.setattr(checkpoint, "SECONDS", -1)
    kept.save(STATE)
    assert read(path).epoch == 2


def test_what_is_saved_stays_as_it_was_when_training_goes_on(path: Path) -> None:
    weights = np.zeros(3, np.float32)
    kept = Checkpoint(path)
    kept.save(State(1, {"w": weights}, STATE.history[:1]))
    weights += 1
    kept.write()
    assert read(path).arrays["w"].tolist() == [0, 0, 0]


def test_before_the_first_epoch_there_is_nothing_to_write(path: Path) -> None:
    Checkpoint(path).write()
    assert not path.exists()


def test_another_training_has_another_file(tmp_path: Path) -> None:
    assert path_of(tmp_path, {"seed": 1, "epochs": 5}) == path_of(tmp_path, {"epochs": 5, "seed": 1})
    assert path_of(tmp_path, {"seed": 1}) != path_of(tmp_path, {"seed": 2})


@pytest.mark.parametrize("resume", [True, False])
def test_one_that_is_there_is_gone_on_from_only_when_asked(path: Path, resume: bool) -> None:
    said: list[str] = []
    opened = open_checkpoint(written(path), resume, said.append)
    state = opened.resume()
    assert (state is not None) == resume
    assert len(said) == 1
    assert ("goes on after epoch 2" if resume else "--resume would go on from it") in said[0]


def test_one_that_is_left_aside_is_only_replaced_by_one_that_has_come_further(path: Path) -> None:
    begun_anew = open_checkpoint(written(path), False, lambda _: None)
    begun_anew.save(State(1, {"w": np.zeros(6, np.float32)}, STATE.history[:1]))
    begun_anew.write()
    assert read(path).epoch == 2
    begun_anew.save(State(3, {"w": np.zeros(6, np.float32)}, (*STATE.history, STATE.history[0])))
    begun_anew.write()
    assert read(path).epoch == 3


def test_to_resume_what_was_never_begun_is_no_error(path: Path) -> None:
    said: list[str] = []
    assert open_checkpoint(path, True, said.append).resume() is None
    assert said == ["no checkpoint of this training is there: it starts from the beginning"]
    said.clear()
    assert open_checkpoint(path, False, said.append).resume() is None
    assert said == []


@pytest.mark.parametrize("damage", ["cut off", "empty", "one byte", "something else"])
def test_a_damaged_one_is_a_sentence_and_a_new_beginning(path: Path, damage: str) -> None:
    whole = written(path).read_bytes()
    middle = len(whole) // 3
    content = {
        "cut off": whole[:middle],
        "empty": b"",
        "one byte": whole.replace(STATE.arrays["w"].tobytes(), bytes(24)),
        "something else": b"PK\x03\x04 no archive",
    }[damage]
    path.write_bytes(content)
    said: list[str] = []
    assert open_checkpoint(path, True, said.append).resume() is None
    assert "Expected the checkpoint of a training at" in said[0]
    assert said[0].endswith("It starts from the beginning.")


def test_the_checkpoint_of_something_else_is_damaged_too(path: Path) -> None:
    np.savez(path, w=np.zeros(2))
    with pytest.raises(TrainingError, match="Expected the checkpoint of a training"):
        read(path)


def test_a_folder_that_has_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Can't write the checkpoint"):
        Checkpoint(tmp_path / "gone" / "file.npz", STATE).write()


def test_removed_it_is_gone_and_removing_again_is_no_error(path: Path) -> None:
    kept = Checkpoint(written(path))
    for _ in range(2):
        kept.remove()
        assert not path.exists()
