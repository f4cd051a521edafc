"""The engine `litert`: the SavedModel as LiteRT has it, which publishing converts it to, run by its interpreter."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice, product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from app.model import runtime
from app.model.explain import SHAPES, Floats, Network, find_network
from app.model.hush import hushed
from app.model.metadata import CLASSES, Metadata
from app.model.model import Model, warm_up
from app.model.report import read_report
from app.model.tensors import PIXELS, Pixels, Probabilities, Rows, Run
from app.model.versions import ModelError, first_line

NAME = "litert"
FILE = Path("assets.extra", "model.tflite")  # in the folder where TensorFlow Serving looks for nothing but its warm-up
MOST_NETWORKS = 81  # that are tried: of two layers of each shape, and zeros; each takes a millisecond
HASH = FILE.with_name("model.tflite.sha256")  # as `sha256sum` writes it


def start() -> None:
    """Imports LiteRT, which takes 0.1 s."""
    runtime.import_for_good("ai_edge_litert.interpreter")


def load(version: Path) -> Model:
    """Loads the version in the folder `version` (`.../<name>/<number>`), checks it and warms it up.

    Raises: ModelError, when the folder holds no such model, or it was published without one for LiteRT.
    """
    return from_content(_read(version), version)


def from_content(content: bytes, version: Path) -> Model:
    """As `load`, of what the file holds, or is to hold."""
    metadata = Metadata.read(version)
    try:
        return _made(content, metadata, version)
    except ModelError:
        raise
    except Exception as error:  # a damaged file makes LiteRT raise many kinds
        raise ModelError(f"LiteRT can't load {version / FILE}: {first_line(error)}.") from error


def _made(content: bytes, metadata: Metadata, version: Path) -> Model:
    interpreter = _interpreter(content)
    _check_shapes(interpreter, CLASSES if metadata.not_a_digit is None else CLASSES + 1, version)
    judge = build(interpreter)

    def run(pixels: Pixels) -> Probabilities:
        return judge(pixels)[:, :CLASSES]

    warm_up(judge, version)
    network = find_network(_networks(interpreter), run)
    name, number, report = version.parent.name, int(version.name), read_report(version)
    return Model(name, number, NAME, metadata, report, run, judge, interpreter, network)


def hash_of(content: bytes) -> str:
    """What stands in HASH: LiteRT doesn't notice a damaged weight, where TensorFlow has checksums of its own."""
    return f"{sha256(content).hexdigest()}  {FILE.name}\n"


def _read(version: Path) -> bytes:
    """The file whole: were it mapped into memory, who shortens it would end the process by a SIGBUS."""
    try:
        content, written = (version / FILE).read_bytes(), (version / HASH).read_bytes()
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise ModelError(
            f"Expected {FILE} and {HASH.name} in {version}, and there is no {missing}: where TensorFlow is, "
            f"`python -m training convert --model {version}` writes both."
        ) from error
    except OSError as error:
        raise ModelError(f"{version / FILE} can't be read: {error}.") from error
    if written != hash_of(content).encode():
        raise ModelError(f"Expected that {version / FILE} has the SHA-256 in {HASH.name}; it is damaged, or another.")
    return content


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    with hushed():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter


def _check_shapes(interpreter: Any, columns: int, version: Path) -> None:
    for kind, want, tensors in (
        ("takes", (-1, PIXELS), interpreter.get_input_details()),
        ("gives", (-1, columns), interpreter.get_output_details()),
    ):
        got = [(each["dtype"].__name__, tuple(each["shape_signature"].tolist())) for each in tensors]
        if got != [("float32", want)]:
            raise ModelError(f"Expected that {version / FILE} {kind} float32 {want} alone; it {kind} {got}.")


def build(interpreter: Any) -> Run:
    """Makes an interpreter of one input, float32 [N, 784], and one output a function of NumPy arrays.

    One row takes 23 µs, 4 take 60 and 64 take 586, where TensorFlow takes 121, 117 and 683 (one run,
    `python -m benchmarks.engine`). Another number of rows than the last one's takes 4 µs more.
    """
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    lock = Lock()  # 0.1 µs; two threads in one interpreter would get each other's answers
    size = 1

    def run(pixels: Pixels) -> Rows:
        nonlocal size
        with lock:
            if len(pixels) != size:
                interpreter.resize_tensor_input(given, pixels.shape)
                interpreter.allocate_tensors()
                size = len(pixels)
            interpreter.set_tensor(given, pixels)
            interpreter.invoke()
            rows: Rows = interpreter.get_tensor(answer)
            return rows

    return run


def _networks(interpreter: Any) -> Iterator[Network]:
    """Networks that the constants of the model can make, by their shapes: converted, variables have no names.

    Matrices lie turned round there. A bias of nothing but zeros is left out, so it may be that.
    """
    tensors = interpreter.get_tensor_details()
    constants = [each for each in tensors if -1 not in each["shape_signature"] and each["dtype"] is np.float32]
    fitting = [[*_of_shape(interpreter, constants, shape), np.zeros(shape, np.float32)] for shape in SHAPES]
    yield from (Network(*each) for each in islice(product(*fitting), MOST_NETWORKS))


def _of_shape(interpreter: Any, tensors: Sequence[dict[str, Any]], shape: tuple[int, ...]) -> list[Floats]:
    return [
        np.ascontiguousarray(interpreter.get_tensor(each["index"]).T)
        for each in tensors
        if tuple(each["shape"].tolist()) == shape[::-1]
    ]
