"""How pictures are sent and answers come back, one way a constant; and what the right answers are."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.normalize import normalize
from training.dataset import EMBEDDED

PICTURES = 2048
TOLERANCE = 1e-5  # TensorFlow itself differs by 1e-6 between batch sizes
BOUNDARY = "------------------------d74496d66958873e"
PNG_BATCH, RAW_BATCH, BODIES = 256, 1024, 8
TIMEOUT_SECONDS = 30

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
Answer = tuple[NDArray[np.int64], Floats]


@dataclass(frozen=True)
class Exchange:
    """Ready bodies, the pictures that each is about, and how the answer is read."""

    path: str
    headers: dict[str, str]
    bodies: list[bytes]
    rows: list[NDArray[np.int64]] = field(repr=False)
    read: Callable[[bytes], Answer] = field(repr=False)

    def ask(self, connection: HTTPConnection, k: int) -> bytes:
        """Sends body `k`. Raises: ValueError, unless the answer is a 200."""
        connection.request("POST", self.path, self.bodies[k], self.headers)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise ValueError(f"status {response.status}: {content[:200]!r}")
        return content

    def check(self, k: int, content: bytes, expected: Floats) -> None:
        """Raises: ValueError, when class or probabilities are not those of the pictures in body `k`."""
        want = expected[self.rows[k]]
        try:
            digits, probabilities = self.read(content)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"not an answer: {content[:200]!r}") from error
        if not np.array_equal(digits, want.argmax(axis=1)):
            raise ValueError(f"the classes are not {want.argmax(axis=1)}: {content[:200]!r}")
        if probabilities.shape != want.shape or not np.abs(probabilities - want).max() <= TOLERANCE:
            raise ValueError(f"the probabilities are not within {TOLERANCE} of the model's: {content[:200]!r}")

    def requests(self, with_id: bool = False) -> list[bytes]:
        """Whole requests, as they are sent; `with_id` adds the number of the body as X-Request-ID."""
        made = []
        for k, body in enumerate(self.bodies):
            headers = {"Host": "127.0.0.1", "User-Agent": "curl/8.14.1", "Accept": "*/*", **self.headers}
            headers |= {"Content-Length": str(len(body))} | ({"X-Request-ID": str(k)} if with_id else {})
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            made.append(f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        return made

    def write(self, folder: Path, with_id: bool = False) -> Path:
        """The same for wrk, one a file."""
        folder.mkdir()
        for k, request in enumerate(self.requests(with_id)):
            (folder / str(k)).write_bytes(request)
        return folder


def load_images() -> Images:
    """The first of MNIST's test set: uint8 (PICTURES, 28, 28), white on black."""
    with np.load(EMBEDDED) as arrays:
        images: Images = arrays["x_test"][:PICTURES]
    return images


def png(image: Images) -> bytes:
    """`image` as the bytes of a PNG."""
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def form(name: str, files: list[bytes]) -> bytes:
    """A multipart/form-data body as curl and browsers send it: each of `files` in a field called `name`."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="digit.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    ).encode()
    return b"".join(head + file + b"\r\n" for file in files) + f"--{BOUNDARY}--\r\n".encode()


FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
RAW = {"Content-Type": "application/octet-stream"}


def upload(images: Images) -> Exchange:
    """One PNG a request, in the field `file`."""
    bodies = [form("file", [png(image)]) for image in images]
    return Exchange("/predict", FORM, bodies, _one_each(images), read_one)


def png_batch(images: Images) -> Exchange:
    """PNG_BATCH PNGs a request, in repeated fields `files`."""
    pngs, rows = [png(image) for image in images], _windows(PNG_BATCH)
    bodies = [form("files", [pngs[i] for i in window]) for window in rows]
    return Exchange("/predict/batch", FORM, bodies, rows, _read_many)


def raw_batch(images: Images, floats: bool) -> Exchange:
    """RAW_BATCH images of 784 bytes a request; the answer as JSON or, with `floats`, as float32."""
    rows = _windows(RAW_BATCH)
    bodies = [images[window].tobytes() for window in rows]
    if floats:
        return Exchange("/predict/batch", RAW | {"Accept": RAW["Content-Type"]}, bodies, rows, _read_floats)
    return Exchange("/predict/batch", RAW, bodies, rows, _read_many)


def triton(images: Images) -> Exchange:
    """The Open Inference Protocol with its binary extension: 784 float32 in 0..1, since Triton reads no pictures."""
    outputs = [{"name": name, "parameters": {"binary_data": False}} for name in ("digit", "probabilities")]
    pixels = {"name": "pixels", "shape": [1, 784], "datatype": "FP32", "parameters": {"binary_data_size": 784 * 4}}
    head = json.dumps({"inputs": [pixels], "outputs": outputs}).encode()
    bodies = [head + normalize(image).tobytes() for image in images]
    headers = RAW | {"Inference-Header-Content-Length": str(len(head))}
    return Exchange("/v2/models/digits/infer", headers, bodies, _one_each(images), _read_triton)


def _one_each(images: Images) -> list[NDArray[np.int64]]:
    return [np.array([k]) for k in range(len(images))]


def _windows(size: int) -> list[NDArray[np.int64]]:
    """BODIES runs of `size` pictures, each beginning elsewhere."""
    return [(np.arange(size) + k * PICTURES // BODIES) % PICTURES for k in range(BODIES)]


def _answer(digits: Any, probabilities: Any) -> Answer:
    return np.asarray(digits, np.int64).reshape(-1), np.asarray(probabilities, np.float32).reshape(-1, 10)


def read_one(content: bytes) -> Answer:
    """The answer to one picture."""
    document = json.loads(content)
    if isinstance(document, list):  # BentoML answers a batchable call with a list, also of one
        (document,) = document
    return _answer(document["digit"], document["probabilities"])


def _read_many(content: bytes) -> Answer:
    results = json.loads(content)["results"]
    return _answer([each["digit"] for each in results], [each["probabilities"] for each in results])


def _read_floats(content: bytes) -> Answer:
    probabilities = np.frombuffer(content, "<f4").reshape(-1, 10)
    return _answer(probabilities.argmax(axis=1), probabilities)


def _read_triton(content: bytes) -> Answer:
    outputs = {each["name"]: each["data"] for each in json.loads(content)["outputs"]}
    return _answer(outputs["digit"], outputs["probabilities"])
