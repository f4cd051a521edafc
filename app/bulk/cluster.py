"""Reading on all machines of a Ray cluster, by Ray Data: the same code in batches, wherever there is a CPU."""

import json
import logging
import signal
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import orjson

from app.bulk.files import name_of, size_of
from app.bulk.handover import Handover
from app.bulk.rows import Row, row
from app.client.groups import in_groups
from app.cluster.connect import environment_of_workers
from app.cluster.errors import ClusterError, reason
from app.process.signals import SIGNALS
from app.settings import Settings

WAITING = 16  # groups whose rows may wait to be written: Ray holds back its tasks then
GROUPS_A_TASK = 8  # a task costs Ray some milliseconds, and a group of small files takes 15
TRIES = 3  # of what ends the process that reads it: somebody else may have ended it
STOP_SECONDS = 3  # from an interrupt on: then Ray is ended, whatever it is at
POISON = f"The process that read it ended, {TRIES} times out of {TRIES}."

Batch = dict[str, Any]


class ClusterRun(Handover[list[Row]]):
    """As `app.bulk.run.Run`, but on the cluster to which `ray` is connected. To be used once.

    The files have to be at the same paths on all machines. Rows are written as groups get ready, in no order.
    """

    def __init__(self, ray: Any, settings: Settings) -> None:
        super().__init__(WAITING)
        self._ray, self._settings = ray, settings

    def read(self, paths: Iterable[str], write: Callable[[list[Row]], None]) -> None:
        """Has a row of each of `paths` written, once; none any more, once it is stopped.

        Raises: what `write` does, and ClusterError, when the cluster can't do this.
        """
        with redirect_stdout(sys.stderr):  # what Ray tells is no row
            for rows in self.taken(read_all(self._ray, self._settings, paths)):
                if self.stopped:
                    break
                write(rows)
            self.wait(STOP_SECONDS)


def read_all(ray: Any, settings: Settings, paths: Iterable[str]) -> Iterator[list[Row]]:
    """The rows of `paths`, a group at a time. Raises: ClusterError.

    What a process that has ended was at is read again by another, until it is. Ray may hand a result over twice.
    """
    groups = [json.dumps(group) for group in in_groups(paths, size_of)]  # paths needn't be UTF-8, as Arrow wants texts
    if not groups:
        return
    left = set(range(len(groups)))
    try:
        for batch in _dataset(ray, settings, groups).iter_batches(batch_size=None, batch_format="numpy"):
            for number, rows in zip(batch["number"].tolist(), batch["rows"], strict=True):
                if number in left:
                    left.remove(number)
                    yield orjson.loads(rows)
    except ray.exceptions.RayError as error:
        raise ClusterError(f"The files can't be read on the cluster: {reason(error)}") from error
    if left:
        raise ClusterError(f"The cluster gave no answer to {len(left)} groups of files.")


def _dataset(ray: Any, settings: Settings, groups: Sequence[str]) -> Any:
    """`number` and `rows`, as JSON, of all `groups`."""
    from ray import data
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # otherwise it tells of each step
    data.DataContext.get_current().enable_progress_bars = False
    items = [{"number": number, "paths": group} for number, group in enumerate(groups)]
    number_of_tasks = -(-len(items) // GROUPS_A_TASK)
    tasks = data.from_items(items, override_num_blocks=number_of_tasks)
    most = max(1, min(int(ray.cluster_resources().get("CPU", 1)), number_of_tasks))
    # beside whoever asks, so that it is lost with no other node
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
    ledger = ray.remote(**options)(Ledger).remote()

    def begin(what: Hashable) -> int:
        times: int = ray.get(ledger.begin.remote(what))
        return times

    return tasks.map_batches(
        Reading,
        batch_size=None,
        compute=data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
        fn_constructor_args=(settings, str(Path.cwd()), begin, ledger.end.remote),
        num_cpus=1,
        runtime_env={"env_vars": environment_of_workers()},
    )


class Ledger:
    """An actor that outlives those who read, and knows what each of them has begun and not ended."""

    def __init__(self) -> None:
        self._begun: Counter[Hashable] = Counter()

    def begin(self, what: Hashable) -> int:
        """How often it has been begun by now."""
        self._begun[what] += 1
        return self._begun[what]

    def end(self, what: Hashable) -> None:
        """It is done. Ray may call again what was called."""
        self._begun.pop(what, None)


class Reading:
    """What each process of the cluster does: the same as `app.bulk.run.Run` does in this one.

    Paths are relative to `folder`. `begin` and `end` are the ledger's.
    """

    def __init__(
        self, settings: Settings, folder: str, begin: Callable[[Hashable], int], end: Callable[[Hashable], object]
    ) -> None:
        self._folder, self._begin, self._end = folder, begin, end
        # Ray works in the main thread and takes signals there; the threads that run the model are made here, and no
        # signal interrupts those (see `app.process.signals`)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        from app.bulk.local import Local

        self._source = Local(settings)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __call__(self, batch: Batch) -> Batch:
        """`number` and `paths` of the groups of a task → `number` and `rows`, as JSON."""
        task = int(batch["number"][0])
        read = self._read if self._begin(task) == 1 else self._read_one_by_one
        rows = [orjson.dumps(read(json.loads(group))) for group in batch["paths"]]
        self._end(task)
        return {"number": batch["number"], "rows": rows}

    def _read(self, paths: Sequence[str]) -> list[Row]:
        from app.bulk.run import rows_of

        return rows_of(self._source, paths, self._folder)

    def _read_one_by_one(self, paths: Sequence[str]) -> list[Row]:
        """After a process that was at it has ended. A file that was begun and not ended too often is left alone."""
        rows = []
        for path in paths:
            if self._begin(path) >= TRIES:
                rows.append(row(name_of(path), POISON))
                continue
            rows += self._read([path])
            self._end(path)
        return rows
