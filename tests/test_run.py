"""Training for real, on a slice of MNIST, by the command line that people use."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.model import saved_model
from app.model.versions import list_versions
from app.settings import Settings
from tests.conftest import serving
from tests.support import CHECKOUT, encode, waiting
from training.checkpoint import PREFIX
from training.dataset import Dataset
from training.network import build_network
from training.recipes import DEFAULT_RECIPE, Augmented, Book, Naive, Recipe, from_metadata
from training.run import Fit, run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, mnist: Dataset) -> Path:
    """The first 6000 training and 1000 test pictures."""
    path = tmp_path_factory.mktemp("data") / "slice.npz"
    np.savez(
        path,
        x_train=mnist.x_train[:6000],
        y_train=mnist.y_train[:6000],
        x_test=mnist.x_test[:1000],
        y_test=mnist.y_test[:1000],
    )
    return path


def command(*options: str | Path) -> list[str]:
    return [sys.executable, "-m", "training", *map(str, options)]


def train(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*options), cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A folder with two versions from two runs with the same seed, and a third from another seed."""
    models = tmp_path_factory.mktemp("trained") / "mnist_mlp"
    for seed in ("5", "5", "6"):
        result = train("fit", "--recipe", "book", "--data", data, "--models", models, "--seed", seed)
        assert result.returncode == 0, result.stderr
        (models.parent / "output.txt").write_text(result.stdout)
    return models


def test_it_says_what_it_does_and_how_good_it_is(models: Path) -> None:
    output = (models.parent / "output.txt").read_text()
    assert "6000 training and 1000 test pictures" in output
    assert "5/5 loss 0." in output
    assert "test loss 0." in output
    assert "read [7, 2, 1, 0, 4, 1, 4, 9," in output
    assert f"published {models / '3'}: version 3 is right for 9" in output


def weights_of(version: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((version / "variables").iterdir()))


def test_the_same_seed_gives_the_same_weights_byte_for_byte_and_the_same_figures(models: Path) -> None:
    assert weights_of(models / "1") == weights_of(models / "2")
    assert (models / "1" / "metadata.json").read_text() == (models / "2" / "metadata.json").read_text()


def test_another_seed_gives_other_weights(models: Path) -> None:
    assert weights_of(models / "1") != weights_of(models / "3")


def test_the_published_version_is_as_good_as_its_metadata_says_when_it_is_served(models: Path, mnist: Dataset) -> None:
    metadata = json.loads((models / "1" / "metadata.json").read_text())
    assert metadata["metrics"]["test_accuracy"] > 0.9
    assert metadata["data"]["train"] == 6000
    with serving(Settings(model_dir=models, model_version=1)) as url:
        files = [("files", encode(image)) for image in mnist.x_test[:1000]]
        results = httpx.post(url + "/predict/batch", files=files, timeout=60).json()["results"]
    accuracy = np.mean([result["digit"] == label for result, label in zip(results, mnist.y_test[:1000], strict=True)])
    assert accuracy == pytest.approx(metadata["metrics"]["test_accuracy"], abs=1e-9)


def test_the_exported_model_answers_as_a_keras_model_with_the_same_weights(models: Path) -> None:
    model = saved_model.load(models / "1")
    network = build_network()
    module = model._loaded
    network.set_weights([each.numpy() for each in (module.w1, module.b1, module.w2, module.b2)])
    pixels = np.random.default_rng(0).random((7, 784), np.float32)
    for size in (1, 7):
        assert np.abs(model(pixels[:size]) - np.asarray(network(pixels[:size]))).max() <= 1e-5


def test_the_recipe_and_the_network_are_the_books() -> None:
    assert (Book().optimizer, Book().loss) == ("rmsprop", "sparse_categorical_crossentropy")
    assert (Book().epochs, Book().batch_size) == (5, 128)
    layers = [(layer.units, layer.activation.__name__) for layer in build_network().layers]
    assert layers == [(512, "relu"), (10, "softmax")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["fit", "--data", "nowhere.npz"], "Expected an .npz file"),
        (["fit", "--models", "/proc/models"], "Expected a folder that can be written to"),
        (["fit", "--recipe", "cook"], "invalid choice: 'cook'"),
        (["fit", "--epochs", "0"], "from 1 to 10000, got '0'"),
        (["fit", "--seed", "x"], "from 0 to 4294967295, got 'x'"),
        (["fit", "--sed", "1"], "--sed"),
        (["fit", "--labels", "nowhere.txt"], "Expected a text file in UTF-8"),
        (["evaluate", "--model", "nowhere"], "Expected a model folder at nowhere"),
        (["compare", "nowhere", "elsewhere"], "Expected a model folder at nowhere"),
        (["compare", "nowhere"], "DIR"),
        (["fitt"], "fitt"),
        ([], "COMMAND"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_bad_option_is_status_2_and_publishes_nothing(options: list[str], words: str, tmp_path: Path) -> None:
    if options[:1] == ["fit"] and "--models" not in options:
        options = [*options, "--models", str(tmp_path / "models")]
    result = train(*options)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("saved_model.pb"))


def test_help_teaches() -> None:
    assert "python -m training fit --seed 7" in train("fit", "--help").stdout
    assert "fit --data fashion --labels names.txt" in " ".join(train("fit", "--help").stdout.split())


# Short, but with all that the whole recipe does.
SHORT: tuple[Recipe, ...] = (
    Book(epochs=2),
    Naive(epochs=2),
    Augmented(epochs=2, held_out=1000, drawn=100, oddities=200),
)


@pytest.fixture(scope="module")
def versions(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A version by each recipe."""
    return {each.name: run(Fit(each, tmp_path_factory.mktemp(each.name), data, seed=8)).folder for each in SHORT}


@pytest.mark.parametrize("recipe", [each.name for each in SHORT])
def test_metadata_is_enough_to_train_the_same_again(
    recipe: str, versions: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    first = versions[recipe]
    metadata = json.loads((first / "metadata.json").read_text())
    again = run(Fit(from_metadata(metadata["recipe"]), tmp_path, data, seed=metadata["seed"])).folder
    assert json.loads((again / "metadata.json").read_text()) == metadata
    assert weights_of(again) == weights_of(first)
    assert (again / "report" / "index.html").read_text().startswith("<!doctype html>")


def test_an_augmented_version_is_served_with_its_judgement(versions: dict[str, Path]) -> None:
    folder = versions["augmented"]
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["false_alarms"] == 0.005
    model = saved_model.load(folder)
    assert model.metadata.not_a_digit == metadata["thresholds"]["not_a_digit"]
    assert model.judge(np.ones((1, 784), np.float32)).shape == (1, 11)


def test_what_is_no_digit_is_trained_without_what_is_about_digits(data: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"kind {number}\n" for number in range(10)))
    folder = run(Fit(SHORT[-1], tmp_path / "kinds", data, names)).folder
    metadata = json.loads((folder / "metadata.json").read_text())
    assert (metadata["recipe"]["drawn"], metadata["recipe"]["oddities"]) == (0, 0)
    assert metadata["fit"] == "never"
    assert "thresholds" not in metadata


def test_what_is_worse_is_refused_and_kept_for_who_wants_it_all_the_same(
    models: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    worse = ("fit", "--recipe", "book", "--data", data, "--models", folder, "--epochs", "1")
    refused = train(*worse)
    assert refused.returncode == 3
    assert "Version 3, of the same data, is right for 9" in refused.stderr
    assert "Nothing is published" in refused.stderr
    assert list_versions(folder) == [1, 2, 3]
    forced = train(*worse, "--resume", "--force")
    assert forced.returncode == 0, forced.stderr
    assert "goes on after epoch 1" in forced.stdout
    assert "1/1 loss" not in forced.stdout
    assert list_versions(folder) == [1, 2, 3, 4]
    assert not list(folder.glob(PREFIX + "*"))


def test_other_classes_are_not_published_among_the_digits(models: Path, data: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"kind {number}\n" for number in range(10)))
    refused = train("fit", "--recipe", "book", "--data", data, "--labels", names, "--models", models, "--force")
    assert refused.returncode == 2
    assert "Expected the classes of version 3" in refused.stderr
    assert "--models DIR" in refused.stderr
    assert list_versions(models) == [1, 2, 3]


# The command, but that `augmented` draws few digits before its first epoch: all of them take 15 s each time.
FEW_DRAWN = """
import sys
from dataclasses import replace
from training.__main__ import leave, main
from training.recipes import RECIPES

RECIPES["augmented"] = replace(RECIPES["augmented"], drawn=100, oddities=200)
leave(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("recipe", "number"), [("book", signal.SIGINT), ("book", signal.SIGTERM), ("augmented", signal.SIGINT)]
)
def test_interrupted_it_ends_with_130_and_goes_on_when_resumed(
    tmp_path: Path, data: Path, recipe: str, number: int
) -> None:
    folder = tmp_path / "models"
    options = ("fit", "--recipe", recipe, "--data", data, "--models", folder, "--epochs", "1000")
    status = interrupt(tmp_path / "log", "2/1000 loss", number, *options)
    log = (tmp_path / "log").read_text()
    assert status == 130, log
    assert "nothing is published. The same command with --resume goes on from there." in log
    assert "Traceback" not in log
    assert [entry.name.startswith(PREFIX) for entry in folder.iterdir()] == [True]
    epoch = int(log.split("interrupted after epoch ")[1].split()[0])
    status = interrupt(tmp_path / "log2", f"{epoch + 1}/1000 loss", number, *options, "--resume")
    log = (tmp_path / "log2").read_text()
    assert status == 130, log
    assert f"goes on after epoch {epoch}" in log
    assert f"\n{epoch}/1000 loss" not in log


def interrupt(log: Path, words: str, number: int, *options: str | Path) -> int:
    """Starts a training, sends it a signal once `words` are in its log, and returns its status."""
    with log.open("w") as file:
        few_drawn = [sys.executable, "-c", FEW_DRAWN, *map(str, options)]
        process = subprocess.Popen(few_drawn, cwd=CHECKOUT, stdout=file, stderr=file)
        try:
            for _ in waiting(words, 120):
                assert process.poll() is None, log.read_text()
                if words in log.read_text():
                    break
            process.send_signal(number)
            return process.wait(60)
        finally:
            process.kill()
            process.wait()


def test_evaluate_prints_tables(models: Path, data: Path) -> None:
    result = train("evaluate", "--model", models / "1", "--data", data)
    assert result.returncode == 0, result.stderr
    accuracy = json.loads((models / "1" / "metadata.json").read_text())["metrics"]["test_accuracy"]
    assert "mnist_mlp version 1 on 1000 test pictures of slice.npz" in result.stdout
    assert re.search(rf"^accuracy +{accuracy:.2%}$", result.stdout, re.M)
    assert re.search(r"^7 +99 +[\d.]+% +[\d.]+%$", result.stdout, re.M)
    assert "read as" in result.stdout


def test_compare_says_which_is_better_and_how_sure_that_is(models: Path, data: Path) -> None:
    result = train("compare", models / "1", models, "--data", data)
    assert result.returncode == 0, result.stderr
    assert re.search(rf"^{models}/1 +1 +9[\d.]+% ", result.stdout, re.M)
    assert re.search(rf"^{models} +3 +9[\d.]+% ", result.stdout, re.M)
    assert re.search(r"points \(95% interval -[\d.]+ to \+[\d.]+\); McNemar's p [\d.]+", result.stdout)


def test_who_has_read_enough_of_a_table_ends_it_without_a_traceback(models: Path, data: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    unbuffered = [sys.executable, "-u", *command("evaluate", "--model", models / "1", "--data", data)[1:]]
    with os.fdopen(writing) as gone:
        result = subprocess.run(unbuffered, cwd=CHECKOUT, stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, "")


def test_make_trains_by_the_same_recipe_as_the_command() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    assert f"RECIPE ?= {DEFAULT_RECIPE}\n" in makefile
    assert f"(RECIPE={DEFAULT_RECIPE}," in makefile
