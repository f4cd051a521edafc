from pathlib import Path

import pytest

from app.model.versions import ModelError, choose_version, list_versions


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name / "variables").mkdir(parents=True)
        (folder / name / "saved_model.pb").touch()
        (folder / name / "metadata.json").touch()
    return folder


def test_versions_are_numbers_in_order(tmp_path: Path) -> None:
    assert list_versions(make(tmp_path, "10", "9", "1")) == [1, 9, 10]


def test_whatever_else_lies_there_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "2", "01", "-3", "3.0", "latest", ".incoming-x", "٣", "9" * 30)
    (tmp_path / "5").touch()
    (tmp_path / "6").mkdir()
    make(tmp_path, "7")
    (tmp_path / "7" / "metadata.json").unlink()
    assert list_versions(tmp_path) == [2]


def test_the_newest_is_chosen_or_the_one_that_is_wanted(tmp_path: Path) -> None:
    make(tmp_path, "1", "2", "10")
    assert choose_version(tmp_path) == tmp_path / "10"
    assert choose_version(tmp_path, 2) == tmp_path / "2"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is none"):
        choose_version(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="Expected a version"):
        choose_version(tmp_path)
    make(tmp_path, "1", "4")
    with pytest.raises(ModelError, match=r"Expected version 3 .*; there is 1, 4"):
        choose_version(tmp_path, 3)
