"""`digits read`: from its options to its exit status."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.bulk import output
from app.bulk.errors import OutputError
from app.bulk.files import find, name_of, paths_on
from app.bulk.interrupts import INTERRUPTED, Interrupts
from app.bulk.output import Output
from app.bulk.progress import showing
from app.bulk.rows import Row
from app.bulk.run import Run, Source
from app.client import Client, ClientError
from app.cluster.errors import ClusterError

if TYPE_CHECKING:
    from app.bulk.cluster import ClusterRun
    from app.settings import Settings

DONE, SOME_NOT_READ, WRONG, ENDED_EARLY = 0, 1, 2, 3
KINDS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
CONNECTIONS = 8  # requests under way to a service
HERE = 2  # groups under way in this process: one comes from the disk while another is answered


class Wrong(Exception):
    """The options can't be followed; the message says why, in a sentence."""


@dataclass
class Tally:
    """Files of this run that have a row by now, and how many of these couldn't be read."""

    rows: int = 0
    failed: int = 0

    def add(self, rows: list[Row]) -> None:
        """More of them."""
        self.rows += len(rows)
        self.failed += sum(row["error"] is not None for row in rows)

    def __str__(self) -> str:
        failed = f", {self.failed:,} not: see the column error" if self.failed else ""
        return f"{self.rows - self.failed:,} read{failed}"


def read(options: argparse.Namespace, interrupts: Interrupts) -> int:
    """Returns the exit status; standard error says what became of it."""
    try:
        kind = _checked(options)
        with ExitStack() as stack:
            run = _run(options, interrupts, stack)
            out = stack.enter_context(_output(options, kind))
            interrupts.act = run.stop
            return _written(options, run, out)
    except (Wrong, OutputError) as error:
        return _end(WRONG, str(error))


def _written(options: argparse.Namespace, run: "Run | ClusterRun", out: Output) -> int:
    tally = Tally()
    count = None if "-" in options.paths else lambda: sum(1 for _ in find(options.paths))
    # a bar would be in the way of rows on the same terminal
    with showing(count, len(out.names), options.out is not None or not sys.stdout.isatty()) as advance:

        def write(rows: list[Row]) -> None:
            out.write(rows)
            tally.add(rows)
            advance(len(rows))

        try:
            run.read((path for path in _paths(options) if name_of(path) not in out.names), write)
            if not run.stopped:
                out.finish()
        except (ClientError, ClusterError) as error:
            return _end(ENDED_EARLY, f"{error} {tally}{_go_on(options)}")
        except OSError as error:
            return _end(ENDED_EARLY, f"The rows can't be written: {error.strerror}. {tally}{_go_on(options)}")
    if run.stopped:
        return _end(INTERRUPTED, f"interrupted: {tally}{_go_on(options)}")
    earlier = f"; {len(out.names):,} had a row already" if out.names else ""
    return _end(SOME_NOT_READ if tally.failed else DONE, f"{tally}{earlier}.")


def _checked(options: argparse.Namespace) -> str:
    """The format of the rows."""
    if missing := [path for path in options.paths if path != "-" and not Path(path).exists()]:
        raise Wrong(f"There is no {name_of(missing[0])}.")
    if options.cluster is not None and options.url is not None:
        raise Wrong("--cluster reads by itself: it needs no --url.")
    if options.cluster and Path(options.cluster).exists():
        raise Wrong(f"--cluster takes {name_of(options.cluster)} for an address: paths go before it.")
    if options.cluster is not None and options.connections is not None:
        raise Wrong("--connections are those to a service, and --cluster needs none.")
    if options.resume and options.out is None:
        raise Wrong("--resume goes on with a file: --out answers.csv")
    if options.format or options.out is None:
        return options.format or "csv"
    if options.out.suffix not in KINDS:
        raise Wrong(f"Expected --out to end with {', '.join(KINDS)}, or a --format; got {options.out}.")
    return KINDS[options.out.suffix]


def _run(options: argparse.Namespace, interrupts: Interrupts, stack: ExitStack) -> "Run | ClusterRun":
    """`stack` ends what it has begun."""
    if options.cluster is None:
        return Run(_source(options), HERE if options.url is None else options.connections or CONNECTIONS)
    from app.bulk.cluster import ClusterRun
    from app.cluster.connect import connected
    from app.cluster.replica import settings_for_replicas

    settings = settings_for_replicas(_settings(options))
    try:
        ray = stack.enter_context(connected(options.cluster or None))
    except ClusterError as error:
        raise Wrong(str(error)) from error
    return ClusterRun(ray, settings)


def _source(options: argparse.Namespace) -> Source:
    """The service, once it has answered; or this process, once it has its model."""
    if options.url is None:
        return _here(options)
    try:
        client = Client(options.url, api_key=os.environ.get("DIGITS_API_KEY"), patience_s=options.patience)
        client.model()
    except (ValueError, ClientError) as error:
        raise Wrong(str(error)) from error
    return client


def _here(options: argparse.Namespace) -> Source:
    """This process, with a model. Only here the service's own code is needed, which takes seconds to import."""
    from app.model.runtime import ONE_THREAD, prepare_environment
    from app.model.versions import ModelError

    prepare_environment(ONE_THREAD)
    from app.bulk.local import Local  # imports NumPy, which looks at that then

    try:
        return Local(_settings(options))
    except ModelError as error:
        raise Wrong(str(error)) from error


def _settings(options: argparse.Namespace) -> "Settings":
    """Those of the service, where there is such a model."""
    from app.model.engines import check_installed
    from app.model.versions import ModelError, choose_version
    from app.settings import Settings, SettingsError

    chosen = {} if options.model_dir is None else {"model_dir": options.model_dir}
    try:
        settings = Settings.from_environment(os.environ, chosen)
        check_installed(settings.engine)
        choose_version(settings.model_dir, settings.wanted_version)
    except (SettingsError, ModelError) as error:
        raise Wrong(str(error)) from error
    return settings


def _output(options: argparse.Namespace, kind: str) -> Output:
    if options.out is None:
        return output.to_standard_output(kind)
    return output.to_file(options.out, kind, options.resume)


def _paths(options: argparse.Namespace) -> Iterator[str]:
    for path in options.paths:
        yield from find(paths_on(sys.stdin.buffer, b"\0" if options.null else b"\n") if path == "-" else [path])


def _go_on(options: argparse.Namespace) -> str:
    return "." if options.out is None else ". The same command with --resume goes on."


def _end(status: int, why: str) -> int:
    print(f"digits read: {why}", file=sys.stderr)
    return status
