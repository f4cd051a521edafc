"""The command that reads a folder of labelled pictures, on a small one made here of MNIST's digits."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import copies, real_digits
from benchmarks.errors import BenchmarkError
from benchmarks.mistakes import Mistake, sheet
from tests.support import CHECKOUT, encode
from training.dataset import Dataset

PHOTO, DRAWING = ("a/photos", "photo"), ("b/drawings", "drawing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mnist: Dataset) -> Path:
    """Six pictures of two origins. One label is wrong, and one picture is blank."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "images").mkdir()
    rows = []
    for k in range(6):
        image = np.zeros((60, 60), np.uint8) if k == 4 else mnist.x_test[k]
        (folder / "images" / f"{k}.png").write_bytes(encode(image))
        label = (int(mnist.y_test[k]) + (k == 5)) % 10
        repository, kind = PHOTO if k < 4 else DRAWING
        rows.append({"file": f"{k}.png", "label": label, "repository": repository, "kind": kind, "ink": "odd"})
    _write(folder, rows)
    return folder


def _write(folder: Path, rows: list[dict[str, object]]) -> None:
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_it_prints_a_row_for_each_origin_and_draws_the_mistakes(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.real_digits", str(folder), "--sheet", str(tmp_path / "sheet.png")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    _, _, photos, drawings, total, written = done.stdout.splitlines()
    assert photos.startswith("| a/photos | photo | 4 | 4 | 100.0% | ")
    assert drawings.startswith("| b/drawings | drawing | 0 | 2 | 0.0% | ")
    assert total.startswith("| **all** |  | 4 | 6 | 66.7% | ")
    assert "2 mistakes" in written
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.width > 600


def test_a_folder_without_what_is_needed_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert real_digits.main([str(tmp_path)]) == 2
    assert "Expected labels.csv in" in capsys.readouterr().err
    _write(tmp_path, [{"file": "x.png", "digit": 3}])
    with pytest.raises(BenchmarkError, match="the columns file and label"):
        real_digits.labelled(tmp_path)
    _write(tmp_path, [{"file": "x.png", "label": "seven"}])
    with pytest.raises(BenchmarkError, match=r"Expected a digit in each `label`.*'seven'"):
        real_digits.labelled(tmp_path)


def test_a_folder_that_says_no_origins_is_read_too(tmp_path: Path) -> None:
    _write(tmp_path, [{"file": "x.png", "label": 3}])
    assert real_digits.labelled(tmp_path) == [real_digits.RealPicture(tmp_path / "images" / "x.png", 3, ("", ""))]


def test_the_sheet_shows_what_was_made_of_each_picture(tmp_path: Path, mnist: Dataset) -> None:
    (tmp_path / "good.png").write_bytes(encode(np.full((40, 80), 200, np.uint8)))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    good = Mistake(tmp_path / "good.png", mnist.x_test[0], "7: read as 1, 0.50")
    pixels = np.asarray(sheet([good, Mistake(tmp_path / "bad.png", None, "3: The file is damaged")] * 4))
    tile = pixels[10:150, 10:150]
    assert (tile[70, 70] == 200).all()
    assert (pixels[10:150, 155:295, 0][2::5, 2::5] == mnist.x_test[0]).all()


def test_copies_are_what_they_are_called(mnist: Dataset) -> None:
    random = np.random.default_rng(0)
    for image in mnist.x_test[:20]:
        assert 84 <= len(copies.COPIES["enlarged, cubic"](image, random)) <= 1120
        assert (255 - copies.inverted(image, random) == image).all()
        assert np.sort(copies.shifted(image, random), axis=None).tolist() == np.sort(image, axis=None).tolist()


def test_a_loss_is_in_points_with_the_error_of_its_sample() -> None:
    loss = copies.Loss(of=1000, plain=980, right=970, differing=16)
    assert (loss.points, loss.standard_error) == (1.0, 0.4)
    assert "| shifted | 970 | 1,000 | 980 | 1.00 |" in copies.losses_table({"shifted": loss})
