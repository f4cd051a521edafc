import json
import os
from pathlib import Path

import pytest

from app.model.metadata import Metadata
from app.model.versions import ModelError, candidates, choose_version, identify, list_versions


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


def test_candidates_are_the_complete_versions_newest_first_or_the_wanted_one(tmp_path: Path) -> None:
    make(tmp_path, "1", "2", "10", "3")
    (tmp_path / "3" / "saved_model.pb").unlink()
    assert [each.folder.name for each in candidates(tmp_path)] == ["10", "2", "1"]
    assert [each.folder.name for each in candidates(tmp_path, 2)] == ["2"]
    assert list(candidates(tmp_path, 3)) == []
    with pytest.raises(FileNotFoundError):
        list(candidates(tmp_path / "nowhere"))


def test_a_version_is_another_one_once_any_of_its_files_is(tmp_path: Path) -> None:
    version = make(tmp_path, "1") / "1"
    known = {identify(version)}
    assert identify(version) in known
    for change in (
        lambda: (version / "variables" / "a").write_text("x"),
        lambda: (version / "variables" / "a").write_text("xy"),
        lambda: (version / "variables" / "a").rename(version / "variables" / "b"),
        lambda: os.utime(version / "metadata.json", (1, 1)),
        lambda: (version / "saved_model.pb").unlink(),
    ):
        change()
        assert identify(version) not in known
        known.add(identify(version))
    assert identify(version) is None


def test_a_link_to_nowhere_and_a_version_that_is_gone_are_no_errors(tmp_path: Path) -> None:
    version = make(tmp_path, "1") / "1"
    before = identify(version)
    (version / "link").symlink_to(tmp_path / "nowhere")
    assert identify(version) == before
    assert identify(tmp_path / "2") is None


def test_what_cannot_be_read_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    make(tmp_path, "1", "2")
    loop = tmp_path / "2" / "variables" / "loop"
    loop.symlink_to(loop)
    broken, whole = candidates(tmp_path)
    assert "Too many levels of symbolic links" in broken.trouble
    assert (whole.folder.name, whole.trouble) == ("1", "")
    assert list_versions(tmp_path) == [1]
    loop.unlink()
    assert list_versions(tmp_path) == [1, 2]


@pytest.mark.parametrize("part", ["metadata.json", "variables/a"])
def test_a_version_with_a_pipe_in_it_is_not_waited_for(part: str, tmp_path: Path) -> None:
    make(tmp_path, "1", "2")
    (tmp_path / "2" / part).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "2" / part)
    piped, whole = candidates(tmp_path)
    assert piped.trouble.endswith(f"{part} is neither a file nor a folder")
    assert not whole.trouble


@pytest.mark.parametrize(
    "more", ['"\\ud800"', "[" * 500 + "]" * 500, "[" * 100_000 + "]" * 100_000], ids=["half", "deep", "deeper"]
)
def test_metadata_that_could_not_be_shown_is_refused(more: str, tmp_path: Path) -> None:
    labels = json.dumps([str(digit) for digit in range(10)])
    (tmp_path / "metadata.json").write_text(f'{{"labels": {labels}, "x": {more}}}')
    with pytest.raises(ModelError, match=r"metadata\.json can't be "):
        Metadata.read(tmp_path)
