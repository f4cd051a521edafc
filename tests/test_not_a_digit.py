"""The warning that a picture doesn't look like a digit: from a score, and a threshold in metadata.json."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.model import saved_model
from app.model.versions import ModelError
from app.reader import NOT_A_DIGIT
from app.settings import Settings
from tests.conftest import serving, tiny_weights
from tests.support import band, encode
from training.export import export

WHITE = np.full((28, 28), 255, np.uint8)
WHITE[0, 0] = 0  # or it were blank


def brightness() -> list[NDArray[np.float32]]:
    """A judgement that is arithmetic: 10 times the mean of the pixels, less 5."""
    w1, w2 = np.zeros((784, 64), np.float32), np.zeros((64, 1), np.float32)
    w1[:, 0], w2[0] = 1 / 784, 10
    return [w1, np.zeros(64, np.float32), w2, np.full(1, -5, np.float32)]


def write_judging(folder: Path, thresholds: object) -> Path:
    export(tiny_weights(), folder, brightness())
    document = {"labels": [str(digit) for digit in range(10)], "fit": "never", "thresholds": thresholds}
    (folder / "metadata.json").write_text(json.dumps(document))
    return folder


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_judging(tmp_path_factory.mktemp("judging") / "tiny" / "1", {"not_a_digit": 0.0})


@pytest.fixture(scope="module")
def client(version: Path) -> Iterator[httpx.Client]:
    with serving(Settings(model_dir=version.parent)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("path", ["/predict", "/predict?fit=never", "/explain"])
def test_what_lies_above_the_threshold_is_warned_of(client: httpx.Client, path: str) -> None:
    def warnings(image: NDArray[np.uint8]) -> list[str]:
        response = client.post(path, content=encode(image))
        assert response.status_code == 200
        found: list[str] = response.json()["picture"]["warnings"]
        return found

    assert warnings(WHITE) == [NOT_A_DIGIT]
    assert warnings(band(3)) == []


def test_each_picture_of_a_batch_is_judged(client: httpx.Client) -> None:
    files = [("files", ("x.png", encode(image))) for image in (band(1), WHITE, band(2))]
    answers = client.post("/predict/batch", files=files).json()["results"]
    assert [each["picture"]["warnings"] for each in answers] == [[], [NOT_A_DIGIT], []]


def test_raw_images_are_judged_in_json_and_stay_ten_numbers_in_bytes(client: httpx.Client) -> None:
    body, kind = np.stack([WHITE, band(4)]).tobytes(), {"Content-Type": "application/octet-stream"}
    answers = client.post("/predict/batch", content=body, headers=kind).json()["results"]
    assert [each["picture"]["warnings"] for each in answers] == [[NOT_A_DIGIT], []]
    assert len(answers[0]["probabilities"]) == 10
    plain = client.post("/predict/batch", content=body, headers=kind | {"Accept": "application/octet-stream"}).content
    probabilities = np.frombuffer(plain, "<f4").reshape(2, 10)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert probabilities[1].tolist() == pytest.approx(answers[1]["probabilities"], abs=1e-6)


def test_the_judgement_changes_no_probability(version: Path) -> None:
    model = saved_model.load(version)
    pixels = np.random.default_rng(0).random((70, 784), np.float32)
    judged = model.judge(pixels)
    assert judged.shape == (70, 11)
    assert np.abs(judged[:, :10] - model(pixels)).max() <= 1e-5
    assert judged[:, 10] == pytest.approx(10 * pixels.mean(axis=1) - 5, abs=1e-4)


def test_without_a_threshold_nothing_is_judged(tmp_path: Path) -> None:
    model = saved_model.load(write_judging(tmp_path / "tiny" / "1", {}))
    assert model.metadata.not_a_digit is None
    assert model.judge(np.ones((2, 784), np.float32)).shape == (2, 10)


@pytest.mark.parametrize("threshold", ["0.5", True, [], float("nan"), 10**400])
def test_a_threshold_that_is_no_number_is_refused(version: Path, tmp_path: Path, threshold: object) -> None:
    copy = shutil.copytree(version, tmp_path / "tiny" / "1")
    document = json.loads((copy / "metadata.json").read_text()) | {"thresholds": {"not_a_digit": threshold}}
    (copy / "metadata.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match="Expected a number as the threshold 'not_a_digit'"):
        saved_model.load(copy)


def test_thresholds_that_are_no_object_are_refused(version: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(version, tmp_path / "tiny" / "1")
    document = json.loads((copy / "metadata.json").read_text()) | {"thresholds": 0.5}
    (copy / "metadata.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match="Expected an object as 'thresholds'"):
        saved_model.load(copy)


def test_a_threshold_without_a_judgement_is_refused(tiny_models: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_models / "1", tmp_path / "tiny" / "1")
    document = json.loads((copy / "metadata.json").read_text()) | {"thresholds": {"not_a_digit": 1}}
    (copy / "metadata.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match="Expected the signature 'judged'"):
        saved_model.load(copy)
