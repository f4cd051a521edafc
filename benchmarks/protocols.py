"""`python -m benchmarks.protocols`: CPU of binary tensors against the raw body of POST /predict/batch."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from app.images.normalize import normalize
from app.model import saved_model
from benchmarks import exchanges
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import RAW, RAW_BATCH, Answer, Exchange, Floats, Images
from benchmarks.measure import say
from benchmarks.processes import cpu_seconds
from benchmarks.servers import MODEL, SERVICE, Server, running

RAW_BODY = "raw body of /predict/batch"


def ways(images: Images) -> dict[str, Exchange]:
    """RAW_BATCH images a request, float32 back: the raw body, and what is compared with it."""
    return {
        RAW_BODY: exchanges.raw_batch(images, floats=True),
        "V2, images UINT8": tensors(images, "images"),
        "V2, pixels FP32": tensors(images, "pixels"),
    }


def tensors(images: Images, name: str) -> Exchange:
    """The Open Inference Protocol with its binary extension, in and out."""
    raw = exchanges.raw_batch(images, floats=True)
    every, kind = (images, "UINT8") if name == "images" else (normalize(images), "FP32")
    shape, size = (RAW_BATCH, *every.shape[1:]), every[:RAW_BATCH].nbytes
    tensor = {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = RAW | {"Inference-Header-Content-Length": str(len(head))}
    path = f"/v2/models/{MODEL.parent.name}/infer"
    return Exchange(path, headers, [head + every[window].tobytes() for window in raw.rows], raw.rows, _read)


def _read(content: bytes) -> Answer:
    floats = np.frombuffer(content[-RAW_BATCH * 40 :], "<f4").reshape(RAW_BATCH, 10)  # behind the JSON
    return floats.argmax(axis=1), floats


def cpu_ms(server: Server, each: Exchange, requests: int, expected: Floats) -> float:
    """CPU time of the server for one request, in ms; every answer is checked."""
    connection = server.connect()
    contents = []
    before = cpu_seconds(server.root)
    for number in range(requests):
        contents.append(each.ask(connection, number % len(each.bodies)))
    spent = cpu_seconds(server.root) - before
    connection.close()
    for number, content in enumerate(contents):
        each.check(number % len(each.bodies), content, expected)
    return spent / requests * 1000


def measure(rounds: int, requests: int, cpus: str) -> dict[str, float]:
    """The median of `rounds` for each way, in ms of CPU a request; the ways take turns."""
    images = exchanges.load_images()
    expected = saved_model.load(MODEL)(normalize(images))
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, running(SERVICE.command, cpus, Path(folder, "log")) as server:
        server.wait_ready()
        for _ in range(rounds + 1):
            for name, each in ways(images).items():
                found.setdefault(name, []).append(cpu_ms(server, each, requests, expected))
    return {name: float(np.median(every[1:])) for name, every in found.items()}  # the first round warms up


def main() -> int:
    """Prints a line for each way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protocols", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each way has its turn (7)")
    parser.add_argument("--requests", type=int, default=100, help="requests a turn (100)")
    parser.add_argument("--cpus", default="0", help="where the server runs, as taskset has it (0)")
    options = parser.parse_args()
    try:
        found = measure(options.rounds, options.requests, options.cpus)
    except (BenchmarkError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for name, ms in found.items():
        say(f"{name:<28} {ms:6.2f} ms of CPU a request of {RAW_BATCH} images, {ms / found[RAW_BODY]:.2f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
