"""Which step of a request each sample of py-spy belongs to."""

import linecache
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

KERNEL, HTTP, FORM, PNG = "kernel and event loop", "HTTP parsing and uvicorn", "form scan", "PNG decode and check"
TASKS, NORMALIZE, MODEL = "batcher and tasks", "normalize", "TensorFlow call"
ANSWER, SEEN, REST = "answer and JSON", "request id, metrics, log line", "hot path itself, and rest"
STEPS = (KERNEL, HTTP, FORM, PNG, TASKS, NORMALIZE, MODEL, ANSWER, SEEN, REST)
# A frame reads "function (path:line) text of that line". The innermost one that fits a rule decides, by the first
# rule that it fits. uvloop and the parser are C, which has no frames here: the line that calls them stands for them.
RULES = [
    (r"/uvicorn/protocols/.*transport\.write\(|/app/wire/(outbox|one_call)\.py", KERNEL),
    (r"^HttpToolsProtocol\._start_asgi_task ", TASKS),
    (r"/uvicorn/|/app/wire/", HTTP),
    (r"/app/routes/plain_body\.py", FORM),
    (r"/app/images/(plain_png|decode|prepare|resemblance|untouched|canvas)\.py|/PIL/", PNG),
    (r"^(Reader\._answer|Reader\.answers) |/app/routes/answers\.py", ANSWER),
    (r"/app/(model/batcher|reader)\.py", TASKS),
    (r"/app/images/normalize\.py", NORMALIZE),
    (r"/app/model/|/tensorflow/", MODEL),
    (r"/app/telemetry/|/prometheus_client/", SEEN),
    (r"/app/(hot_path|main)\.py|/benchmarks/contenders/", REST),
    (r"/asyncio/runners\.py", KERNEL),
]
WAITING = "`Runner.run` asyncio/runners.py"  # the function that all of uvloop runs in
FRAME = re.compile(r"(.+) \((.+):(\d+)\)")


class Samples(NamedTuple):
    """How many samples fell into each step, and into each innermost function."""

    steps: Counter[str]
    functions: Counter[str]

    def share(self, step: str) -> float:
        return self.steps[step] / self.steps.total()

    def without_waiting(self, share: float) -> "Samples":
        """Without that share of all samples, which found the event loop waiting: uvloop's C looks always the same."""
        waiting = min(round(share * self.steps.total()), self.functions[WAITING])
        return Samples(self.steps - Counter({KERNEL: waiting}), self.functions - Counter({WAITING: waiting}))


def read(raw: str, thread: str = "MainThread") -> Samples:
    """`raw`: `py-spy record --format raw --threads --full-filenames`, a line "frame;frame;... count" a stack.

    Only of the loop's thread. Stacks without a frame were caught half changed and are left out.
    """
    samples = Samples(Counter(), Counter())
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        root, *frames = stack.split(";")
        if root.endswith(thread) and frames:
            samples.steps[step_of(frames)] += int(count)
            samples.functions[_function(frames[-1])] += int(count)
    return samples


def step_of(frames: list[str]) -> str:
    """The step of a stack, its outermost frame first."""
    return next((step for frame in reversed(frames) if (step := _step_of_frame(frame))), REST)


@cache
def _step_of_frame(frame: str) -> str | None:
    match = FRAME.fullmatch(frame)
    text = f"{frame} {linecache.getline(match[2], int(match[3])).strip()}" if match else frame
    return next((step for pattern, step in RULES if re.search(pattern, text)), None)


def _function(frame: str) -> str:
    """The function with its file and the folder of that: no path of this machine."""
    match = FRAME.fullmatch(frame)
    return f"`{match[1]}` {'/'.join(Path(match[2]).parts[-2:])}" if match else frame
