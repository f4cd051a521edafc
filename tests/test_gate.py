"""The gate: what is worse than what is there isn't published."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.model.versions import list_versions
from tests.conftest import write_version
from tests.support import band
from training import gate
from training.dataset import Dataset
from training.errors import Refused
from training.evaluation import Evaluation

CLASSES = np.arange(100, dtype=np.uint8) % 10
BANDS = np.stack([band(int(each)) for each in CLASSES])
HASHES = {"x_train": "1", "y_train": "2", "x_test": "3", "y_test": "4"}
DATA = Dataset(BANDS, CLASSES, BANDS, CLASSES, "bands", HASHES)  # the tiny model reads all of them right


def answers(wrong: int) -> Evaluation:
    """Of a new model that reads so many of the 100 wrong."""
    read = CLASSES.copy()
    read[:wrong] = (read[:wrong] + 1) % 10
    rows: NDArray[np.float32] = np.eye(10, dtype=np.float32)[read]
    return Evaluation(rows, CLASSES)


def passing(wrong: int, models: Path, force: bool = False) -> list[str]:
    said: list[str] = []
    gate.check(answers(wrong), models, DATA, force, said.append)
    return said


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Version 1 is of the same data; 2 is of other data, and 3 and 4 don't say of which."""
    folder = tmp_path / "tiny"
    documents: list[dict[str, Any]] = [
        {"data": {"sha256": HASHES}},
        {"data": {"sha256": HASHES | {"x_test": "5"}}},
        {"data": "mnist"},
        {},
    ]
    for number, document in enumerate(documents, 1):
        write_version(folder, number, **document)
    return folder


def test_what_is_worse_is_refused_with_all_figures(models: Path) -> None:
    with pytest.raises(Refused) as refused:
        passing(9, models)
    assert str(refused.value).startswith(
        "Version 1, of the same data, is right for 100.00% of the test pictures, this one for 91.00%: -9.00 points (95%"
    )


def test_what_may_be_as_good_passes_and_the_differences_are_said(models: Path) -> None:
    said = passing(2, models)
    assert [each[:32] for each in said] == ["Version 1, of the same data, is ", "Version 4, of other data, is rig"]
    assert all("-2.00 points" in each and "--force" not in each for each in said)


def test_who_forces_it_is_told(models: Path) -> None:
    assert passing(9, models, force=True)[0].endswith("It is published all the same, as --force says.")


def test_what_is_worse_at_its_own_data_than_a_version_of_other_data_is_refused(tmp_path: Path) -> None:
    write_version(tmp_path / "tiny", 1, data={"sha256": {}})
    with pytest.raises(
        Refused, match=r"Version 1, of other data, is right for 100\.00% of the test pictures, this one for"
    ):
        passing(9, tmp_path / "tiny")


def test_a_newer_version_of_the_same_data_stands_for_those_of_other_data_before_it(models: Path) -> None:
    write_version(models, 5, data={"sha256": HASHES})
    assert [each[:9] for each in passing(2, models)] == ["Version 5"]


def test_an_empty_folder_has_nothing_to_compare_with(tmp_path: Path) -> None:
    assert passing(89, tmp_path / "empty") == []


def test_what_is_no_better_than_guessing_is_refused_even_as_the_first(tmp_path: Path) -> None:
    sentence = (
        "It is right for 10.00% of the test pictures of bands; who always answers the most frequent class is right "
    )
    with pytest.raises(Refused, match=f"{sentence}for 10.00%"):
        passing(90, tmp_path / "empty")
    assert passing(90, tmp_path / "empty", force=True)[0].endswith("It is published all the same, as --force says.")


def test_a_version_that_cannot_be_loaded_is_passed_over_for_an_older_one(models: Path) -> None:
    broken = write_version(models, 5, data={"sha256": HASHES})
    (broken / "saved_model.pb").write_bytes(b"no model")
    unreadable = write_version(models, 6)
    (unreadable / "metadata.json").write_text("{")
    assert list_versions(models)[-1] == 6
    said = passing(2, models)
    assert said[0].startswith("version 5 isn't compared with: TensorFlow can't load")
    assert said[1].startswith("Version 1, of the same data")
    with pytest.raises(Refused):
        passing(9, models)
