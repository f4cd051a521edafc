"""Reading on all machines of a Ray cluster, by Ray Data: the same code in batches, wherever there is a CPU."""

import json
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from app.bulk.files import name_of, size_of
from app.bulk.rows import Row, row
from app.client.groups import in_groups
from app.cluster.connect import environment_of_workers
from app.cluster.errors import ClusterError
from app.model.versions import first_line
from app.settings import Settings
from app.signals import SIGNALS

GROUPS_A_TASK = 8  # a task costs Ray some 5 ms, and a group of small files takes 15
UNDER_WAY = 2  # tasks at each process: one waits while another is done
TRIES = 3  # of a task whose process ends: that may have been the machine's fault
POISON = f"The process that read it ended, {TRIES} times out of {TRIES}."

Batch = dict[str, Any]
Group = tuple[int, list[str]]  # with its number


class ClusterRun:
    """As `app.bulk.run.Run`, but on the cluster to which `ray` is connected. To be used once.

    The files have to be at the same paths on all machines. Rows are written as groups get ready, in no order.
    """

    def __init__(self, ray: Any, settings: Settings) -> None:
        self._ray, self._settings = ray, settings
        self._asked: SimpleQueue[list[Row] | None] = SimpleQueue()
        self._failure: BaseException | None = None
        self.stopped = False

    def read(self, paths: Iterable[str], write: Callable[[list[Row]], None]) -> None:
        """Has a row of each of `paths` written, once.

        Raises: what `write` does, and ClusterError, when the cluster can't do this.
        """
        Thread(target=self._feed, args=(paths,), daemon=True).start()
        while (rows := self._asked.get()) is not None and not self.stopped:
            write(rows)
        if self._failure and not self.stopped:
            raise self._failure

    def stop(self) -> None:
        """No more rows are written."""
        self.stopped = True
        self._asked.put(None)

    def _feed(self, paths: Iterable[str]) -> None:
        try:
            for rows in rows_of_all(self._ray, self._settings, paths):
                self._asked.put(rows)
        except BaseException as error:  # noqa: BLE001 - for whoever waits for the rows
            self._failure = error
        finally:
            self._asked.put(None)


def rows_of_all(ray: Any, settings: Settings, paths: Iterable[str]) -> Iterator[list[Row]]:
    """The rows of `paths`, some groups at a time. A file that ends the process that reads it has that as its error.

    What was in a task whose process ended TRIES times is read once more, each file by itself, to find out which it was.
    """
    left = yield from _rows(ray, settings, list(enumerate(in_groups(paths, size_of))), GROUPS_A_TASK)
    alone = list(enumerate([path] for _, group in left for path in group))
    left = yield from _rows(ray, settings, alone, 1)
    yield [row(name_of(path), POISON) for _, group in left for path in group]


def _rows(
    ray: Any, settings: Settings, groups: Sequence[Group], groups_a_task: int
) -> Iterator[list[Row]]:  # and returns the groups that have none
    left = dict(groups)
    if not left:
        return []
    _prepare_ray_data(ray)
    items = [{"number": number, "paths": _packed(group)} for number, group in groups]
    strategy = ray.data.ActorPoolStrategy(
        min_size=1,
        max_size=max(1, int(ray.cluster_resources().get("CPU", 1))),
        # alone, nobody else suffers for it
        max_tasks_in_flight_per_actor=UNDER_WAY if groups_a_task > 1 else 1,
    )
    tasks = ray.data.from_items(items, override_num_blocks=-(-len(items) // groups_a_task))
    read = tasks.map_batches(
        Reading,
        batch_size=None,
        compute=strategy,
        fn_constructor_args=(settings, str(Path.cwd())),
        num_cpus=1,
        max_task_retries=TRIES - 1,
        runtime_env={"env_vars": environment_of_workers()},
    )
    try:
        for batch in read.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
            done = [k for k, number in enumerate(batch["number"].tolist()) if left.pop(number, None) is not None]
            yield [each for k in done for each in json.loads(batch["rows"][k])]
    except ray.exceptions.RayError as error:
        raise ClusterError(f"The files can't be read on the cluster: {first_line(error)}") from error
    if len(left) == len(groups) > 1 and groups_a_task > 1:
        raise ClusterError("Each process on the cluster that should read files has ended; Ray's logs say why.")
    return list(left.items())


def _prepare_ray_data(ray: Any) -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # what is missing at the end is looked after here


def _packed(paths: Sequence[str]) -> bytes:
    """As JSON: paths needn't be UTF-8, which Arrow's texts are."""
    return json.dumps(paths).encode()


class Reading:
    """What each process of the cluster does: the same as `app.bulk.run.Run` does in this one."""

    def __init__(self, settings: Settings, folder: str) -> None:
        # Ray works in the main thread and takes signals there; the threads that run the model are made here, and no
        # signal interrupts those (see `app.signals`)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        from app.bulk.local import Local

        self._source, self._folder = Local(settings), folder
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __call__(self, batch: Batch) -> Batch:
        """`number` and `paths` of some groups → `number` and `rows`, as JSON."""
        return {"number": batch["number"], "rows": [self._read(packed) for packed in batch["paths"]]}

    def _read(self, packed: bytes) -> bytes:
        from app.bulk.run import rows_of

        return json.dumps(rows_of(self._source, json.loads(packed), self._folder)).encode()
