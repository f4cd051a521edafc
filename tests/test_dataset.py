"""The embedded MNIST is verified; datasets of one's own are read, and refused with a sentence when they are broken."""

import gzip
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support import CHECKOUT
from training import dataset
from training.dataset import Dataset
from training.errors import TrainingError
from training.files import IDX_FILES, Bytes

IMAGES = np.random.default_rng(1).integers(0, 256, (20, 28, 28), np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10
ARRAYS = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:5], "y_test": LABELS[:5]}


def idx(array: Bytes) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder: Path, compress: bool = False, second_name: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for name, names in IDX_FILES.items():
        content = idx(ARRAYS[name])
        path = folder / (names[second_name] + (".gz" if compress else ""))
        path.write_bytes(gzip.compress(content) if compress else content)
    return folder


def write_npz(path: Path, **changes: object) -> Path:
    np.savez(path, **(ARRAYS | changes))  # type: ignore[arg-type]
    return path


def test_the_embedded_mnist_is_whole(mnist: Dataset) -> None:
    assert mnist.x_train.shape == (60000, 28, 28)
    assert mnist.x_test.shape == (10000, 28, 28)
    assert mnist.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert mnist.x_train[:, 0, 0].max() == 0  # white ink on black


def test_a_changed_embedded_mnist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist: Dataset) -> None:
    changed = mnist.y_test.copy()
    changed[0] = 8
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=mnist.x_train, y_train=mnist.y_train, x_test=mnist.x_test, y_test=changed)
    monkeypatch.setattr(dataset, "EMBEDDED", path)
    with pytest.raises(TrainingError, match="y_test of the embedded MNIST"):
        dataset.load()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("second_name", [False, True])
def test_idx_files_are_read_gzipped_or_not(tmp_path: Path, compress: bool, second_name: bool) -> None:
    loaded = dataset.load(write_idx(tmp_path / "data", compress, second_name))
    for name, array in ARRAYS.items():
        assert (getattr(loaded, name) == array).all()
    assert loaded.source == "data"


def test_the_same_data_has_the_same_hashes_in_either_form(tmp_path: Path) -> None:
    as_idx = dataset.load(write_idx(tmp_path / "data"))
    as_npz = dataset.load(write_npz(tmp_path / "data.npz"))
    assert as_idx.sha256 == as_npz.sha256


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def train_images(folder: Path) -> Path:
    return folder / IDX_FILES["x_train"][0]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "at .*data"),
        (lambda folder: train_images(folder).unlink(), "train-images-idx3-ubyte or .*; there is neither"),
        (lambda folder: cut(train_images(folder)), "Expected 15680 bytes of data in .*; found 783[0-9]"),
        (lambda folder: train_images(folder).write_bytes(b""), "Expected an IDX file"),
        (lambda folder: train_images(folder).write_bytes(b"\0\0\x0d\x03" + b"\0" * 12), "Expected an IDX file"),
        (lambda folder: train_images(folder).write_bytes(idx(LABELS)), r"28x28; found uint8 \(20,\)"),
        (lambda folder: train_images(folder).write_bytes(idx(IMAGES[:, :20])), r"found uint8 \(20, 20, 28\)"),
        (lambda folder: train_images(folder).write_bytes(idx(IMAGES[:7])), "to be 7 labels"),
        (lambda folder: train_images(folder).write_bytes(idx(IMAGES[:0])), r"found uint8 \(0, 28, 28\)"),
    ],
)
def test_a_broken_folder_is_refused(tmp_path: Path, break_it: Callable[[Path], None], message: str) -> None:
    folder = write_idx(tmp_path / "data")
    break_it(folder)
    with pytest.raises(TrainingError, match=message):
        dataset.load(folder)


def test_a_cut_off_gzip_file_is_refused(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "data", compress=True)
    cut(train_images(folder).with_name(IDX_FILES["x_train"][0] + ".gz"))
    with pytest.raises(TrainingError, match="whole gzip file"):
        dataset.load(folder)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + b"\0" * 50], ids=["empty", "text", "no zip"])
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"mnist\.npz: it is no \.npz archive\.$"):
        dataset.load(path)


def test_a_cut_off_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    whole = (CHECKOUT / "training" / "data" / "mnist.npz").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrainingError, match=r"mnist\.npz"):
        dataset.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": LABELS + 1}, "labels from 0 to 9 in y_train .*; found 10"),
        ({"x_test": IMAGES[:5].astype(np.float32)}, "uint8 pictures .*; found float32"),
        ({"y_test": LABELS[:4]}, "to be 5 labels"),
        ({"y_test": np.array([b"x"] * 5)}, "labels, uint8"),
        ({"x_train": np.array([{}], object)}, "pickle"),
    ],
)
def test_an_npz_of_something_else_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        dataset.load(write_npz(tmp_path / "odd.npz", **changes))


def test_an_npz_without_one_of_the_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "few.npz"
    np.savez(path, x_train=IMAGES)
    with pytest.raises(TrainingError, match="y_train"):
        dataset.load(path)


def test_the_last_pictures_are_held_out(mnist: Dataset) -> None:
    kept, held_out = mnist.split(5000)
    assert (len(kept.x), len(kept.y), len(held_out.x), len(held_out.y)) == (55000, 55000, 5000, 5000)
    assert (held_out.x[0] == mnist.x_train[55000]).all()
    assert len(mnist.split(0)[1].x) == 0


def test_more_than_there_are_cannot_be_held_out(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"more than the 20 training pictures .* found 20"):
        dataset.load(write_npz(tmp_path / "few.npz")).split(20)


def test_without_names_the_classes_are_digits(tmp_path: Path) -> None:
    loaded = dataset.load(write_npz(tmp_path / "own.npz"))
    assert loaded.labels == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert loaded.fit == "digits"


NAMES = ["o お", "ki き", "su す", "tsu つ", "na な", "ha は", "ma ま", "ya や", "re れ", "wo を"]


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_classes_with_names_of_their_own_are_no_digits(tmp_path: Path, end: str, encoding: str) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + end, encoding=encoding)
    loaded = dataset.load(write_npz(tmp_path / "kmnist.npz"), tmp_path / "names.txt")
    assert loaded.labels == tuple(NAMES)
    assert loaded.fit == "never"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\n".join(NAMES[:9]).encode(), "10 lines .* found 9 lines, 0 of them empty"),
        ("\n".join([*NAMES, "more"]).encode(), "found 11 lines"),
        ("\n".join([*NAMES[:5], " ", *NAMES[6:]]).encode(), "found 10 lines, 1 of them empty"),
        ("\n".join([*NAMES[:9], NAMES[0]]).encode(), "different names .* found 'o お' more than once"),
        (b"", "found 0 lines"),
        ("\n".join(NAMES).encode("utf-16"), "UTF-8"),
        (None, "UTF-8 .*No such file"),
    ],
    ids=["nine", "eleven", "an empty one", "twice", "empty", "utf-16", "no file"],
)
def test_names_that_are_not_ten_different_ones_are_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(TrainingError, match=words):
        dataset.load(write_npz(tmp_path / "own.npz"), tmp_path / "names.txt")
