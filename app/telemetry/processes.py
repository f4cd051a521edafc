"""How much memory, CPU and files the service's processes use, and what was built into it."""

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app import __version__
from app.telemetry.cells import FOLDER

TICKS = os.sysconf("SC_CLK_TCK")
# In /proc/<pid>/stat, behind the name. CPU time of children: of those that have ended and were waited for.
PARENT, CPU_OF_CHILDREN = 1, slice(13, 15)
START, CPU = "process_start_time_seconds", "process_cpu_seconds"


class Processes(Collector):
    """prometheus_client's process_* metrics, which it drops with several workers, and how many workers there are.

    They are added up over the workers and the process that started them; the start is that one's. On Linux only.
    """

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks for it, in whichever worker."""
        if FOLDER is None:
            return [*_added_up([os.getpid()]), _workers(1)]
        if sys.platform != "linux":
            return []
        supervisor, workers = os.getppid(), _children(FOLDER)
        # without the time of workers that were replaced the sum would fall, which Prometheus takes for a restart
        ended_s = sum(map(int, _stat(supervisor)[CPU_OF_CHILDREN])) / TICKS
        live = sum(_stat(pid)[:1] not in ([], ["Z"]) for pid in workers)
        return [*_added_up([supervisor, *workers], ended_s), _workers(live)]


PACKAGES = {"tensorflow": ("tensorflow-cpu", "tensorflow"), "litert": ("ai-edge-litert",)}  # of each engine


class Build(Collector):
    """One series whose labels are versions, and that `engine` runs the model."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks for it."""
        labels = {"version": __version__, "python": platform.python_version(), "engine": self._engine}
        labels |= {name: _version_of(packages) for name, packages in PACKAGES.items()}
        build = GaugeMetricFamily("digits_build_info", "Always 1; what serves is in the labels.", labels=list(labels))
        build.add_metric(list(labels.values()), 1)
        return [build]


@cache  # it looks through the packages on the disk, and a scrape is every few seconds
def _version_of(packages: tuple[str, ...]) -> str:
    for name in packages:
        try:
            return version(name)
        except PackageNotFoundError:
            pass
    return "none"


def _workers(number: int) -> Metric:
    return GaugeMetricFamily("digits_workers", "Processes that serve.", number)


def _added_up(pids: list[int], ended_s: float = 0.0) -> Iterator[Metric]:
    found: dict[str, list[Metric]] = {}
    for pid in pids:
        for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
            found.setdefault(metric.name, []).append(metric)
    for name, metrics in found.items():
        values = [each.samples[0].value for each in metrics]
        value = min(values) if name == START else sum(values) + (ended_s if name == CPU else 0)
        metrics[0].samples = [metrics[0].samples[0]._replace(value=value)]
        yield metrics[0]


def _children(folder: str) -> list[int]:
    """The processes with gauges in `folder` whose parent is this one's: the workers, and those that have just died."""
    parent = str(os.getppid())
    pids = {int(path.stem.rpartition("_")[2]) for path in Path(folder).glob("gauge_*.db")}
    return [pid for pid in pids if _stat(pid)[PARENT : PARENT + 1] == [parent]]


def _stat(pid: int) -> list[str]:
    """/proc/<pid>/stat behind the name of the process; empty, if it is no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
