"""The engine without TensorFlow: what it answers is the SavedModel's, and what it can't serve it says in a sentence."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from app.images.normalize import normalize
from app.model import engines, litert, saved_model
from app.model.model import Model
from app.model.tensors import difference
from app.model.versions import ModelError, identify
from benchmarks.crowd import Crowd, predict
from tests.conftest import tiny_weights, write_version
from tests.support import (
    CHECKOUT,
    LITERT,
    SEVEN,
    SHIPPED,
    SHIPPED_VERSION,
    band,
    encode,
    resident_bytes,
    running_service,
    waiting,
    workers_of,
)
from training import convert
from training.convert import check_same, write_converted
from training.dataset import Dataset
from training.errors import TrainingError
from training.export import export
from training.publish import Expected, publish

SMALL_MB = 110
IMAGES = np.stack([band(digit) for digit in range(10)])


@pytest.fixture(scope="module")
def small() -> Model:
    return litert.load(SHIPPED / str(SHIPPED_VERSION))


@pytest.fixture
def version(tmp_path: Path, tiny_models: Path) -> Path:
    return shutil.copytree(tiny_models / "1", tmp_path / "tiny" / "1")


def test_both_engines_answer_alike_whatever_size_follows_which(small: Model, shipped: Model, mnist: Dataset) -> None:
    pixels = normalize(mnist.x_test[:1000])
    for size in (1, 2, 1, 64, 3, 1000, 65, 1):
        rows, expected = small.judge(pixels[:size]), shipped.judge(pixels[:size])
        assert rows.shape == expected.shape
        assert difference(rows, expected) <= 1e-5
        assert np.abs(small(pixels[:size]) - shipped(pixels[:size])).max() <= 1e-5


def test_threads_that_ask_at_once_get_their_own_answers(small: Model, mnist: Dataset) -> None:
    pixels = normalize(mnist.x_test[:64])
    expected = small(pixels)
    wrong: list[int] = []

    def ask(first: int) -> None:
        for size in (1, 5, 2) * 100:
            if np.abs(small(pixels[first : first + size]) - expected[first : first + size]).max() > 1e-5:
                wrong.append(first)

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("number", [1, 2])
def test_it_explains_as_tensorflow_does(number: int, mnist: Dataset) -> None:
    folder = SHIPPED / str(number)
    ours, theirs = litert.load(folder), saved_model.load(folder)
    for pixels, digit in zip(normalize(mnist.x_test[:20]), mnist.y_test[:20].tolist(), strict=True):
        why, expected = ours.explain(pixels, digit), theirs.explain(pixels, digit)
        assert np.abs(why.importances - expected.importances).max() <= 1e-5
        assert (why.picture, why.baseline) == pytest.approx((expected.picture, expected.baseline), abs=1e-4)


def test_a_network_without_biases_is_explained_too(version: Path) -> None:
    why = litert.load(version).explain(normalize(band(3)).reshape(784), 3)
    assert float(why.importances.sum()) == pytest.approx(why.picture - why.baseline, rel=0.01)


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Changes the model, and its hash with it."""

    def spoil(version: Path) -> None:
        content = change((version / litert.FILE).read_bytes())
        (version / litert.FILE).write_bytes(content)
        (version / litert.HASH).write_text(litert.hash_of(content))

    return spoil


def flipped(version: Path) -> None:
    """One bit of a weight."""
    content = bytearray((version / litert.FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (version / litert.FILE).write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda version: (version / litert.FILE).unlink(), "python -m training convert --model .*tiny/1"),
        (lambda version: (version / litert.HASH).unlink(), "python -m training convert"),
        (flipped, "has the SHA-256 in"),
        (rewritten(lambda content: content[: len(content) // 2]), "LiteRT can't load"),
        (rewritten(lambda _: b""), "LiteRT can't load"),
        (rewritten(lambda _: b"\xff" * 1000), "LiteRT can't load"),
        (lambda version: (version / "metadata.json").write_text("{}"), "list of 10 strings"),
    ],
    ids=["no model", "no hash", "a bit", "half", "nothing", "garbage", "metadata"],
)
def test_what_cannot_be_served_is_one_sentence(version: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(version)
    with pytest.raises(ModelError, match=message) as caught:
        litert.load(version)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (783, 10, r"takes float32 \(-1, 784\) alone; it takes .*783"),
        (784, 9, r"gives float32 \(-1, 10\).*it gives .*9"),
    ],
)
def test_another_shape_is_refused(version: Path, inputs: int, outputs: int, message: str) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, inputs], tf.float32)])  # type: ignore[untyped-decorator]
    def network(pixels: tf.Tensor) -> tf.Tensor:
        return tf.matmul(pixels, tf.ones([inputs, outputs]))

    module = tf.Module()
    content = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], module).convert()
    with pytest.raises(ModelError, match=message):
        litert.from_content(content, version)


def test_what_does_not_add_up_to_1_is_refused(version: Path) -> None:
    export([each * np.float32(np.nan) for each in tiny_weights()], version.parent / "2")
    shutil.copy(version / "metadata.json", version.parent / "2")
    with pytest.raises(ModelError, match="add up to 1"):
        litert.from_content(convert.convert(version.parent / "2"), version)


def turned(turn: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """The tiny model's weights, but so that it answers `turn` more."""
    w1, b1, w2, b2 = tiny_weights()
    return [w1, b1, np.roll(w2, turn, axis=1), b2]


def test_a_model_that_answers_otherwise_once_converted_is_not_published(
    tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = convert.convert(tiny_models / "1")
    # TensorFlow's converter makes no mistakes that one could ask for
    monkeypatch.setattr(convert, "convert", lambda _: other)
    weights = turned(1)
    export(weights, tmp_path / "answers")
    answer = tf.saved_model.load(str(tmp_path / "answers")).signatures["serving_default"]
    expected = Expected(lambda pixels: answer(pixels=tf.constant(pixels))["probabilities"].numpy(), IMAGES)
    metadata = {"labels": [str(digit) for digit in range(10)]}
    with pytest.raises(TrainingError, match=r"differ by 0\.99.*, and in the class of 10 of 10 pictures"):
        publish(weights, expected, metadata, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_small_difference_is_one_too(version: Path, tmp_path: Path) -> None:
    w1, b1, w2, b2 = tiny_weights()
    export([w1, b1, w2 * np.float32(1.05), b2], tmp_path / "2")
    shutil.copy(version / "metadata.json", tmp_path / "2")
    with pytest.raises(TrainingError, match="in the class of 0 of 10 pictures"):
        check_same(litert.from_content(convert.convert(tmp_path / "2"), version), saved_model.load(version), IMAGES)


def converting(models: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "convert", "--model", str(models)]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, **options)


def test_a_version_of_before_is_converted_by_a_command_and_readable_for_all(tmp_path: Path) -> None:
    version = write_version(tmp_path / "tiny", 1)
    done = converting(tmp_path / "tiny", umask=0o077)
    said = "answers 10,000 test pictures as the SavedModel does\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote {version / litert.FILE}: {said}", "")
    assert litert.load(version).engine == "litert"
    for path in (version / "assets.extra").rglob("*"):
        assert path.stat().st_mode & 0o777 == 0o644, path
    assert (version / "assets.extra").stat().st_mode & 0o777 == 0o755
    assert {path.name for path in (version / "assets.extra").iterdir()} == {litert.FILE.name, litert.HASH.name}
    before = identify(version)
    done = converting(tmp_path / "tiny")
    assert (done.returncode, done.stdout) == (0, f"{version / litert.FILE} is there already: {said}")
    assert identify(version) == before  # so no service loads it anew


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("variables/variables.data-00000-of-00001", "TensorFlow can't load"),
        ("variables/variables.index", "TensorFlow can't load"),
        ("saved_model.pb", "TensorFlow can't load"),
        ("metadata.json", r"metadata\.json can't be read"),
    ],
)
def test_a_damaged_version_is_not_converted_and_that_is_one_sentence(version: Path, name: str, message: str) -> None:
    os.truncate(version / name, (version / name).stat().st_size // 2)
    with pytest.raises(ModelError, match=message):
        write_converted(version, saved_model.load(version), IMAGES)


def test_where_nothing_is_to_be_converted_the_command_says_so(tmp_path: Path) -> None:
    done = converting(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch("python -m training: Expected a version .*\n", done.stderr)


def test_one_that_cannot_be_written_to_is_one_sentence(version: Path) -> None:
    shutil.rmtree(version / "assets.extra")
    (version / "assets.extra").touch()
    with pytest.raises(TrainingError, match=r"Can't write into .*tiny/1: .*exists"):
        write_converted(version, saved_model.load(version), IMAGES)


def test_what_cannot_be_written_whole_leaves_nothing(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(version / "assets.extra")

    def full(_path: Path) -> None:  # a full disk says it as late as this
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(convert, "settle", full)
    with pytest.raises(TrainingError, match=r"Can't write into .*tiny/1: .*No space left"):
        write_converted(version, saved_model.load(version), IMAGES)
    assert list((version / "assets.extra").iterdir()) == []


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    # both are installed where tests run
    monkeypatch.setitem(engines._MODULES, "tensorflow", engines._Module("nowhere", "tensorflow", "no_tensorflow"))
    expected = "Expected the package tensorflow for the engine 'tensorflow': it is missing. DIGITS_ENGINE=litert can"
    with pytest.raises(ModelError, match=expected):
        engines.check_installed("tensorflow")
    engines.check_installed("litert")


def test_the_application_is_imported_without_any_engine() -> None:
    code = (
        "import sys, app.__main__, app.process.server, app.main; print([m for m in sys.argv[1:] if m in sys.modules])"
    )
    # cv2 is not an engine, but 16 MB that a service which is sent 28x28 digits never needs
    command = [sys.executable, "-c", code, "tensorflow", "keras", "ai_edge_litert", "cv2"]
    assert subprocess.check_output(command, cwd=CHECKOUT, text=True) == "[]\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Of the service with the shipped model, and its process."""
    with running_service(tmp_path_factory.mktemp("litert"), *LITERT) as service:
        yield service.url, service.process.pid


def crowd_of(url: str, picture: bytes, digit: int, connections: int) -> Crowd:
    return Crowd(httpx.URL(url).port or 0, predict(picture), b'"digit":%d' % digit, connections)


@pytest.mark.alone
def test_a_process_under_load_takes_little_memory_and_none_of_tensorflow(url: tuple[str, int]) -> None:
    crowd = crowd_of(url[0], SEVEN.read_bytes(), 7, 64)
    crowd.start()
    for _ in waiting("some thousand answers"):
        if crowd.answered > 5000:
            break
    loaded = resident_bytes(url[1]) / 1e6
    crowd.end()
    assert (crowd.wrong, crowd.lost, set(crowd.statuses)) == (0, 0, {b"200"})
    assert loaded <= SMALL_MB
    assert "tensorflow" not in Path(f"/proc/{url[1]}/maps").read_text()


def test_each_line_of_its_log_is_json(tmp_path: Path, tiny_models: Path) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--log-format", "json")
    with running_service(tmp_path, *options, wait=False) as service:
        for _ in waiting("the model to be loaded"):
            if httpx.get(service.url + "/readyz").status_code == 200:
                break
        assert service.stop(signal.SIGTERM) == 0
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert "ready: tiny version 2" in {line["message"] for line in lines}


def test_the_first_picture_that_has_to_be_fitted_imports_what_that_takes(tmp_path: Path) -> None:
    with running_service(tmp_path, *LITERT) as service:
        maps = Path(f"/proc/{service.process.pid}/maps")
        assert httpx.post(service.url + "/predict", content=SEVEN.read_bytes()).json()["digit"] == 7
        assert "cv2" not in maps.read_text()
        seven = np.asarray(Image.open(SEVEN).resize((56, 56)))
        answer = httpx.post(service.url + "/predict", content=encode(255 - seven)).json()
        assert (answer["digit"], answer["picture"]["fitted"]) == (7, True)
        assert "cv2" in maps.read_text()


def test_photographs_are_read_as_well(url: tuple[str, int]) -> None:
    pictures = CHECKOUT / "tests" / "pictures"
    assert httpx.post(url[0] + "/predict", content=(pictures / "card.jpg").read_bytes()).json()["digit"] == 5
    assert httpx.post(url[0] + "/read", content=(pictures / "note.jpg").read_bytes()).json()["text"] == "30174\n62895"


def test_it_tells_which_engine_answers(url: tuple[str, int]) -> None:
    assert httpx.get(url[0] + "/model").json()["engine"] == "litert"
    assert re.search(r'digits_build_info\{engine="litert",', httpx.get(url[0] + "/metrics").text)


def test_under_load_another_version_takes_over_in_every_worker_and_none_fails(
    tmp_path: Path, tiny_models: Path
) -> None:
    models = tmp_path / "tiny"
    shutil.copytree(tiny_models / "1", models / "1")
    options = (*LITERT, "--model-dir", str(models), "--watch-seconds", "0.05", "--workers", "2")
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready(2)
        crowd = crowd_of(service.url, encode(band(4)), 4, 16)
        crowd.start()
        (models / ".incoming").mkdir()
        shutil.copytree(tiny_models / "2", models / ".incoming" / "2").rename(models / "2")
        for _ in waiting("both workers to take over"):
            if service.log.read_text().count("swapped: tiny version 2 for version 1") == 2:
                break
        (models / "3").mkdir()
        shutil.copytree(write_version(tmp_path, 3), models / "3", dirs_exist_ok=True)
        for _ in waiting("both workers to refuse the third"):
            if len(re.findall("refused version 3: Expected assets.extra/model.tflite", service.log.read_text())) == 2:
                break
        assert len(workers_of(service)) == 2
        crowd.end()
        assert service.stop(signal.SIGTERM) == 0
    assert (crowd.wrong, crowd.lost, set(crowd.statuses)) == (0, 0, {b"200"})
    assert crowd.answered > 100


def test_a_version_without_a_model_for_it_is_served_once_it_is_converted(tmp_path: Path) -> None:
    version = write_version(tmp_path / "tiny", 1)
    options = (*LITERT, "--model-dir", str(tmp_path / "tiny"), "--watch-seconds", "0.05")
    with running_service(tmp_path, *options, wait=False) as service:
        for _ in waiting("it to be refused"):
            if "not ready" in service.log.read_text():
                break
        command = re.search(r"`python (-m training convert --model \S+)` writes both", service.log.read_text())
        assert command
        subprocess.run([sys.executable, *command[1].split()], cwd=CHECKOUT, check=True, capture_output=True)
        service.wait_until_ready()
        assert httpx.get(service.url + "/readyz").json()["model"]["version"] == int(version.name)
