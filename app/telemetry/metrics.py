"""What is counted, for Prometheus. docs/operating.md has a table of it, which a test compares.

To count is for the event loop's thread; `app.telemetry.cells` says what that buys.
"""

from functools import lru_cache
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from app.errors import ServiceError
from app.telemetry.cells import FOLDER, Buckets, Cell, cell_of
from app.telemetry.processes import Build, Processes

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody asked for
for each in (GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR):
    REGISTRY.unregister(each)  # there are none of them with several workers; `Processes` and `Build` serve instead

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
PICTURES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONFIDENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
CLASSES = 10
UNMATCHED = "unmatched"  # the route of every path that there isn't: a scanner shall not make a series for each
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

REQUESTS = Counter("digits_requests", "Requests answered.", ("method", "route", "status"))
DURATION = Histogram(
    "digits_request_duration_seconds", "From a request's head to the end of its answer.", ("route",), buckets=SECONDS
)
BATCH = Histogram("digits_batch_pictures", "Pictures in one call of the model.", buckets=PICTURES)
LOADS = Counter("digits_model_loads", "Versions of the model that were loaded, or refused.", ("result",))
# there only once a model is loaded: a worker that starts has no version 0
MODEL_VERSION = Gauge("digits_model_version", "The version that answers.", ("model",), multiprocess_mode="livemin")
PENDING = Gauge(
    "digits_pending_requests", "Requests whose pictures are being read, or wait for it.", multiprocess_mode="livesum"
)
LARGE = Gauge(
    "digits_large_requests",
    "Large pictures and batches that are being read, or wait for it.",
    multiprocess_mode="livesum",
)
PREDICTIONS = Counter("digits_predictions", "Digits answered, by their class.", ("digit",))
CONFIDENCE = Histogram("digits_confidence", "Confidence of the digits answered.", buckets=CONFIDENCES)
REFUSED = Counter("digits_refused", "Requests, and files of a batch, answered by a problem.", ("reason",))
LOST_LINES = Counter("digits_log_lines_lost", "Lines of the log that nobody read in time.")

PROCESSES = Processes()
REGISTRY.register(PROCESSES)

# All of these are there from the start, at zero, so that a first one is seen to be one more.
_predictions = [cell_of(PREDICTIONS.labels(str(digit))) for digit in range(CLASSES)]
_reasons = [ServiceError.slug, *(kind.slug for kind in ServiceError.__subclasses__())]
_refused = {reason: cell_of(REFUSED.labels(reason)) for reason in _reasons}
for result in ("loaded", "refused"):
    LOADS.labels(result)
_confidence, _batch = Buckets(CONFIDENCE), Buckets(BATCH)
_pending, _large = cell_of(PENDING), cell_of(LARGE)


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Cell, Buckets]:
    """The series of these labels. Looking them up costs 2 µs, remembering them 0.1."""
    method = method if method in METHODS else "other"
    return cell_of(REQUESTS.labels(method, route, str(status))), Buckets(DURATION.labels(route))


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """`route`: the template of the path, or UNMATCHED."""
    (cells, at), duration = _series(method, route, status)
    cells[at] += 1
    duration.observe(seconds)


def count_pending(more: int) -> None:
    """`more`: 1 when a request comes in, -1 when it is read, or refused."""
    cells, at = _pending
    cells[at] += more


def count_large(more: int) -> None:
    """As `count_pending`, of those whose work is done behind the loop's back."""
    cells, at = _large
    cells[at] += more


def count_batch(pictures: int) -> None:
    """One call of the model."""
    _batch.observe(pictures)


def count_answer(digit: int, confidence: SupportsFloat) -> None:
    """One answered digit, `confidence` in 0..1."""
    cells, at = _predictions[digit]
    cells[at] += 1
    _confidence.observe(float(confidence))  # adding NumPy's numbers up takes longer


def count_answers(probabilities: NDArray[np.float32]) -> None:
    """As many answered digits as `probabilities` has rows, float32 (N, 10)."""
    counts = np.bincount(probabilities.argmax(axis=1), minlength=CLASSES)
    for (cells, at), count in zip(_predictions, counts.tolist(), strict=True):
        cells[at] += count
    _confidence.observe_all(probabilities.max(axis=1).astype(np.float64))


def count_refusal(error: ServiceError) -> None:
    """A request, or a file of a batch, that is answered by the problem `error`."""
    cells, at = _refused[error.slug]
    cells[at] += 1


def render(engine: str) -> bytes:
    """Everything in Prometheus' text format; with several workers, the sums over all of them. `engine`: by its name."""
    registry = CollectorRegistry()
    registry.register(Build(engine))
    if FOLDER is None:
        return generate_latest(REGISTRY) + generate_latest(registry)
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(PROCESSES)
    return generate_latest(registry)
