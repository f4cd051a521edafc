"""What is counted, for Prometheus. README has a table of it, which a test compares."""

import os
from functools import lru_cache

from prometheus_client import REGISTRY as PROCESS
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody asked for

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
PICTURES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
UNMATCHED = "unmatched"  # the route of every path that there isn't: a scanner shall not make a series for each
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

REQUESTS = Counter("digits_requests", "Requests answered.", ("method", "route", "status"))
DURATION = Histogram(
    "digits_request_duration_seconds", "From a request's head to the end of its answer.", ("route",), buckets=SECONDS
)
BATCH = Histogram("digits_batch_pictures", "Pictures in one call of the model.", buckets=PICTURES)
LOADS = Counter("digits_model_loads", "Versions of the model that were loaded, or refused.", ("result",))
MODEL_VERSION = Gauge("digits_model_version", "The version that answers.", multiprocess_mode="livemin")


@lru_cache(maxsize=4096)
def _children(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The series of these labels. Looking them up costs 2 µs, remembering them 0.1."""
    method = method if method in METHODS else "other"
    return REQUESTS.labels(method, route, str(status)), DURATION.labels(route)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """`route`: the template of the path, or UNMATCHED."""
    requests, duration = _children(method, route, status)
    requests.inc()
    duration.observe(seconds)


def render() -> bytes:
    """Everything in Prometheus' text format; with several workers, the sums over all of them."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(PROCESS)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
