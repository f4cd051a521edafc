"""Numbers that are added to where they lie are those that prometheus_client shows. This fails when it changes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from app.telemetry.cells import Buckets, cell_of
from app.telemetry.metrics_folder import FOLDER, PLACE
from tests.support import CHECKOUT

BOUNDS = (0.1, 0.5, 1, 2.5)
VALUES = [0, 0.05, 0.1, 0.100001, 0.3, 0.5, 1.0, 2.5, 2.6, 1e9]


def pair() -> tuple[CollectorRegistry, Histogram, Histogram]:
    registry = CollectorRegistry()
    one = Histogram("one", "", ("name",), buckets=BOUNDS, registry=registry).labels("x")
    other = Histogram("other", "", ("name",), buckets=BOUNDS, registry=registry).labels("x")
    return registry, one, other


def lines(registry: CollectorRegistry, name: str) -> list[str]:
    text = generate_latest(registry).decode()
    return [line.removeprefix(name) for line in text.splitlines() if line.startswith(name)]


def test_buckets_count_as_the_histogram_does() -> None:
    registry, one, other = pair()
    for value in VALUES:
        one.observe(value)
        Buckets(other).observe(value)
    assert len(lines(registry, "one")) == len(BOUNDS) + 3
    assert lines(registry, "one") == lines(registry, "other")


def test_many_at_once_are_as_many_one_by_one() -> None:
    registry, one, other = pair()
    for value in VALUES:
        one.observe(value)
    Buckets(other).observe_all(np.array(VALUES))
    assert lines(registry, "one") == lines(registry, "other")


def test_counters_and_gauges_are_their_cells() -> None:
    registry = CollectorRegistry()
    counter, gauge = Counter("c", "", registry=registry), Gauge("g", "", registry=registry)
    counter.inc(2)
    gauge.set(7)
    for metric in (counter, gauge):
        cells, at = cell_of(metric)
        cells[at] += 0.5
    assert lines(registry, "c") == ["_total 2.5"]
    assert lines(registry, "g") == [" 7.5"]


WORKER = """
import os
import sys
from app.telemetry.cells import Buckets, cell_of
from prometheus_client import Counter, Gauge, Histogram
many = Counter("many", "", ("label",))
cells = [cell_of(many.labels(f"{number} " + "x" * 500)) for number in range(300)]  # the file grows meanwhile
for cells, at in cells:
    cells[at] += 2
many.labels("0 " + "x" * 500).inc()
histogram = Histogram("h", "", buckets=(1, 2))
Buckets(histogram).observe(1.5)
histogram.observe(0.5)
for mode in ("livesum", "mostrecent"):
    gauge = Gauge(mode, "", multiprocess_mode=mode)
    gauge.set(int(sys.argv[1]))
print(os.getpid())
"""
READER = """
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_with_several_processes_they_lie_where_prometheus_client_adds_them_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    run(WORKER, "3", place="0")
    run(WORKER, "4", place="1")
    found = read()
    counts = [float(value) for name, value in found.items() if name.startswith("many_total")]
    assert sorted(counts) == [4.0] * 299 + [6.0]
    assert [found[f'h_bucket{{le="{bound}"}}'] for bound in ("1.0", "2.0", "+Inf")] == ["2.0", "4.0", "4.0"]
    assert (found["h_sum"], found["livesum"]) == ("4.0", "7.0")
    assert "mostrecent" in found


def test_who_takes_another_s_place_counts_on_in_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    first = int(run(WORKER, "3", place="0"))
    files = {each.name for each in tmp_path.iterdir()}
    multiprocess.mark_process_dead(first)  # type: ignore[no-untyped-call]
    run(WORKER, "4", place="0")
    assert {each.name for each in tmp_path.iterdir() if "gauge" not in each.name} == {
        each for each in files if "gauge" not in each
    }
    found = read()
    assert {value for name, value in found.items() if name.startswith("many_total")} == {"4.0", "6.0"}
    assert (found["h_sum"], found["livesum"]) == ("4.0", "4.0")


def run(*script: str, place: str = "") -> str:
    """What a process writes."""
    environment = os.environ | {PLACE: place}
    command = [sys.executable, "-c", *script]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout


def read() -> dict[str, str]:
    """All numbers, as prometheus_client adds them up."""
    return dict(line.rsplit(" ", 1) for line in run(READER).splitlines() if line and not line.startswith("#"))
