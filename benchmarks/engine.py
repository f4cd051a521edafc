"""`python -m benchmarks.engine`: ways to call the model, compared on one CPU; and what loading it anew leaks."""

import copy
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from app.images.normalize import normalize
from app.model import litert
from app.model.runtime import ONE_THREAD, prepare_environment
from app.model.signature import build
from app.model.tensors import PIXELS
from app.settings import CHECKOUT
from benchmarks.exchanges import TOLERANCE, Floats, load_images
from benchmarks.report import table
from benchmarks.servers import MODEL

SIZES = (1, 2, 4, 8, 16, 32, 64, 256, 1024)
PREDICT_SIZES = (1, 32)
ROUNDS, SLICE_SECONDS = 5, 0.04
TITLES = {
    "plain": "`signature(...)`",
    "service": "the service's short way",
    "xla-call": "XLA, weights constant, called plainly",
    "xla": "XLA, weights constant, `PartitionedCall`",
    "xla-arguments": "XLA, weights as arguments, `PartitionedCall`",
    "litert": "LiteRT, which judges the novelty besides",
    "predict": "`model.predict`, TFSMLayer",
    "numpy": "NumPy",
}
Way = Callable[[Floats], Floats]


def one_thread() -> None:
    """One CPU, and TensorFlow as `app.process.server` has it. To be called before TensorFlow is imported."""
    cpu = {min(os.sched_getaffinity(0))}
    for thread in Path("/proc/self/task").iterdir():  # NumPy's library has some already
        os.sched_setaffinity(int(thread.name), cpu)
    os.environ |= ONE_THREAD
    prepare_environment()


def frozen(signature: Any) -> Any:
    """The signature with its weights as constants."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(signature)


def compiled(function: Any, *shapes: tuple[int, ...]) -> Any:
    """`function` by XLA, for float32 of just these shapes."""
    import tensorflow as tf

    specs = [tf.TensorSpec(shape) for shape in shapes]
    return tf.function(function, jit_compile=True, autograph=False, input_signature=specs).get_concrete_function()


def xla_constants(signature: Any, rows: int) -> Any:
    """A concrete function of `rows` rows that holds the weights."""
    constant = frozen(signature)
    return compiled(lambda x: constant(x)[0], (rows, PIXELS))


def partitioned(function: Any, weights: tuple[Any, ...] = ()) -> Way:
    """Calls a concrete function without the checks in Python, as `app.model.signature` does."""
    import tensorflow as tf

    call, types = tf.raw_ops.PartitionedCall, [tf.float32]
    return lambda x: call(args=[tf.constant(x), *weights], Tout=types, f=function)[0].numpy()


def _xla_arguments(signature: Any, rows: int) -> Way:
    import tensorflow as tf

    graph, weights = _without_weights(signature)
    output = frozen(signature).outputs[0].name

    def function(x: Any, *values: Any) -> Any:
        inputs = {"pixels:0": x} | {f"{name}:0": value for name, value in zip(weights, values, strict=True)}
        return tf.graph_util.import_graph_def(graph, input_map=inputs, return_elements=[output])[0]

    shapes = [value.shape for value in weights.values()]
    concrete = compiled(function, (rows, PIXELS), *shapes)
    return partitioned(concrete, tuple(map(tf.constant, weights.values())))


def _without_weights(signature: Any) -> tuple[Any, dict[str, Floats]]:
    """The signature's graph without input and weights; and the weights, by name."""
    from tensorflow.python.framework import tensor_util

    graph = copy.deepcopy(frozen(signature).graph.as_graph_def())
    tensors = {node.name: node.attr["value"].tensor for node in graph.node if node.op == "Const"}
    weights = {name: tensor_util.MakeNdarray(each) for name, each in tensors.items() if each.tensor_shape.dim}
    for k in reversed(range(len(graph.node))):
        if graph.node[k].name in (*weights, "pixels"):
            del graph.node[k]
    return graph, weights


def _numpy(signature: Any) -> Way:
    by_shape = {value.shape: value for value in _without_weights(signature)[1].values()}
    w1, b1, w2, b2 = (by_shape[shape] for shape in ((784, 512), (512,), (512, 10), (10,)))

    def run(x: Floats) -> Floats:
        scores = np.maximum(x @ w1 + b1, 0) @ w2 + b2
        powers: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
        powers /= powers.sum(axis=1, keepdims=True)
        return powers

    return run


def _litert() -> Way:
    litert.start()
    return litert.load(MODEL)


def _predict() -> Way:
    import keras

    layer = keras.layers.TFSMLayer(str(MODEL), call_endpoint="serving_default")
    model = keras.Sequential([keras.Input((PIXELS,)), layer])
    return lambda x: model.predict(x, verbose=0, batch_size=len(x))["probabilities"]


def ways(signature: Any, rows: int) -> dict[str, Callable[[], Way]]:
    """What makes each way of answering `rows` rows."""
    import tensorflow as tf

    def called_plainly() -> Way:
        concrete = xla_constants(signature, rows)
        return lambda x: concrete(tf.constant(x)).numpy()

    makers: dict[str, Callable[[], Way]] = {
        "plain": lambda: lambda x: signature(pixels=tf.constant(x))["probabilities"].numpy(),
        "service": lambda: build(signature),
        "litert": _litert,
        "xla-call": called_plainly,
        "xla": lambda: partitioned(xla_constants(signature, rows)),
        "xla-arguments": lambda: _xla_arguments(signature, rows),
        "numpy": lambda: _numpy(signature),
    }
    return makers | ({"predict": _predict} if rows in PREDICT_SIZES else {})


def compare(signature: Any, pixels: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """By way: µs a call with `pixels`, the best of ROUNDS means; and the seconds until the first answer.

    Raises: ValueError, when two ways differ.
    """
    made: dict[str, Way] = {}
    first: dict[str, float] = {}
    for name, make in ways(signature, len(pixels)).items():
        begin = time.perf_counter()
        made[name] = make()
        answer = made[name](pixels)
        first[name] = time.perf_counter() - begin
        difference = np.abs(answer - made["plain"](pixels)).max()
        if not difference <= TOLERANCE:
            raise ValueError(f"{name} differs by {difference} at {len(pixels)} rows.")
    best = dict.fromkeys(made, float("inf"))
    for _ in range(ROUNDS):  # in turn: what the machine does meanwhile meets all of them
        for name, way in made.items():
            best[name] = min(best[name], _mean(way, pixels))
    return best, first


def _mean(way: Way, pixels: Floats) -> float:
    calls, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < SLICE_SECONDS or calls < 2:
        way(pixels)
        calls += 1
    return elapsed / calls * 1e6


def calls_table() -> str:
    """µs a call of every way and size, and how long the first answer takes."""
    import tensorflow as tf

    signature = (model := tf.saved_model.load(str(MODEL))).signatures["serving_default"]
    pixels = normalize(load_images())
    results = [compare(signature, pixels[:size]) for size in SIZES]
    del model  # lives until here: its variables are the signature's
    rows = [["way", *(f"{size} row{'s' * (size > 1)}" for size in SIZES), "s until the first answer"]]
    for name, title in TITLES.items():
        cells = [f"{best[name]:,.0f}" if name in best else "" for best, _ in results]
        seconds = [first[name] for _, first in results if name in first]
        rows.append([title, *cells, f"{min(seconds):.2f} to {max(seconds):.2f}"])
    return table(rows)


def leaks_table() -> str:
    """A process of its own for each way."""
    rows = [["way", "RSS MiB after 5 loads", "after 25", "a load"]]
    for way, title in {"service": TITLES["service"], "xla": "XLA, weights constant, for 1, 8 and 32 rows"}.items():
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "benchmarks.leaks", way]
        done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
        early, late = map(float, done.stdout.split())
        rows.append([title, f"{early:,.0f}", f"{late:,.0f}", f"{(late - early) / 20:+.1f}"])
    return table(rows)


LEAKS = "### What it leaks\n\nThe model is loaded anew, and the old one dropped:"

if __name__ == "__main__":
    one_thread()
    sys.stdout.write(f"µs a call:\n\n{calls_table()}\n\n{LEAKS}\n\n{leaks_table()}\n")
