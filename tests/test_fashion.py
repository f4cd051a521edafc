"""A dataset of ten other things than digits is trained, published and served, with its own names."""

import json
from pathlib import Path

import httpx
import pytest

from app.model.model import Model
from app.settings import Settings
from benchmarks import novelty
from tests.conftest import lacking, serving
from tests.fashion import MISSING, NAMES, find_fashion
from tests.support import encode
from training import dataset, versions
from training.dataset import Dataset
from training.recipes import chosen
from training.run import Fit, Result, run


@pytest.fixture(scope="module")
def fashion(missing: list[str]) -> Path:
    folder = find_fashion()
    if folder is None:
        lacking(missing, MISSING)
    return folder


@pytest.fixture(scope="module")
def clothes(fashion: Path) -> Dataset:
    return dataset.load(fashion)


@pytest.fixture(scope="module")
def trained(fashion: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("fashion")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n")
    return run(Fit(chosen("book", None, are_digits=False), folder / "fashion", fashion, folder / "names.txt"))


def test_it_is_as_good_as_such_a_network_is(trained: Result) -> None:
    assert 0.87 <= trained.evaluation.accuracy < 0.95


def test_its_metadata_names_the_classes_and_says_that_they_are_no_digits(trained: Result) -> None:
    metadata = json.loads((trained.folder / "metadata.json").read_text())
    assert metadata["labels"] == list(NAMES)
    assert metadata["fit"] == "never"
    assert metadata["metrics"]["test_accuracy"] == trained.evaluation.accuracy


def test_the_shipped_version_tells_clothes_from_digits(shipped: Model, clothes: Dataset, mnist: Dataset) -> None:
    threshold = shipped.metadata.not_a_digit
    assert threshold is not None
    digits, garments = (versions.novelty(shipped, images) for images in (mnist.x_test, clothes.x_test))
    assert novelty.auroc(digits, garments) >= 0.99
    assert (digits > threshold).mean() <= 0.01
    sheet = novelty.report(shipped, clothes.x_test[:200])
    assert "| MNIST's test digits | 10,000 | 0." in sheet
    assert "| not digits, fitted | " in sheet


def test_it_is_served_with_its_names(trained: Result, clothes: Dataset) -> None:
    with serving(Settings(model_dir=trained.folder.parent)) as url:
        files = [("files", encode(image)) for image in clothes.x_test[:50]]
        results = httpx.post(url + "/predict/batch", files=files, timeout=60).json()["results"]
        alone = httpx.post(url + "/predict", files={"file": encode(clothes.x_test[0])}).json()
    assert alone["label"] == "Ankle boot"
    assert alone["picture"]["fitted"] is False
    assert [each["label"] for each in results] == [NAMES[each] for each in trained.evaluation.answers[:50]]
