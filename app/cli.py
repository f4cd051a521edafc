"""The command `digits`: reads files, serves, trains. What is behind each of these doors is imported when it opens."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from app.arguments import command_line, whole_number

READ = """\
examples:
  digits read scan.jpg photos/ --out answers.csv           in this process, with the newest model
  digits read photos/ --out answers.csv --url http://127.0.0.1:8000
                                                           through a service that runs: `digits serve`
  digits read photos/ --out answers.csv --resume           goes on with what Ctrl-C or a crash ended; also when there
                                                           are new pictures in the folder
  digits read photos/ --out answers.parquet                or .jsonl: with the ten probabilities of each
  find . -name '*.png' -print0 | digits read -0 - > answers.csv
  digits read seven.png                                    a row on standard output
  digits read photos/ --out answers.csv --cluster 10.0.0.1:6379
                                                           on all machines of a Ray cluster, which have the files at
                                                           the same paths: python -m app.cluster --help

There is a row for each file, in order (with --cluster in none): path, digit, label, confidence, model, version,
warnings, error. What can't be read has the reason as its error. In folders, all below that ends as a picture does
(.png, .jpg, .tiff, .heic, ...) is read, but nothing hidden. Rows are written as they come: whatever ends the command,
--resume reads only what has none.
DIGITS_API_KEY holds the key of a service that wants one; without a service, the settings of `digits serve` count
(DIGITS_MODEL_VERSION, ...).

Exit status: 0 all were read, 1 some were not, 2 wrong options, 3 ended early (the service went away, the disk is full),
130 interrupted."""

EPILOG = """\
examples:
  digits read photos/ --out answers.csv       a row for each picture
  digits serve --port 9000                    as python -m app: answers over HTTP
  digits train --recipe book                  as python -m training fit: makes the next version of the model
  digits train evaluate                       as python -m training evaluate

Each has its own --help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status; arguments are the command line's by default."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["serve"]:
        return _serve(given[1:])
    if given[:1] == ["train"]:
        return _train(given[1:])
    return _read(_parser().parse_args(given))


def _serve(arguments: list[str]) -> int:
    from app.process.signals import exit_on_signals

    exit_on_signals()  # before what takes a while
    from app.__main__ import main

    return main(arguments)


def _train(arguments: list[str]) -> int:
    from training.__main__ import COMMANDS, leave, main

    if not arguments or arguments[0] not in {*COMMANDS, "-h", "--help"}:
        arguments = ["fit", *arguments]
    leave(main(arguments))


def _read(options: argparse.Namespace) -> int:
    from app.bulk.interrupts import Interrupts

    interrupts = Interrupts(handled=options.cluster is not None)  # before there are other threads
    # httpx has a command of its own, with which it takes 50 ms longer to import
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    from app.bulk.command import read

    _leave(read(options, interrupts))


def _leave(status: int) -> NoReturn:
    """Ends the process without waiting for a list on standard input, or for TensorFlow."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = command_line("digits", "Reads handwritten digits.", EPILOG)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    read = commands.add_parser(
        "read",
        help="read files, a row each",
        description="Reads the digit in each of any number of picture files.",
        epilog=READ,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_options(read)
    commands.add_parser("serve", help="answer over HTTP: python -m app")
    commands.add_parser("train", help="train a model, and judge it: python -m training")
    return parser


def _add_options(read: argparse.ArgumentParser) -> None:
    to_1000 = whole_number(1, 1000)
    read.add_argument("paths", nargs="+", metavar="PATH", help="a picture, a folder, or -: a list of both, a line each")
    read.add_argument("--out", type=Path, metavar="FILE", help=".csv, .jsonl or .parquet (CSV on standard output)")
    read.add_argument("--format", choices=("csv", "jsonl", "parquet"), help="for a FILE that is named otherwise")
    read.add_argument("--resume", action="store_true", help="go on with FILE: files that have a row there are done")
    read.add_argument("-0", "--null", action="store_true", help="the list has zero bytes for line ends: find -print0")
    where = read.add_mutually_exclusive_group()
    where.add_argument("--url", metavar="URL", help="a running service (this process)")
    where.add_argument("--model-dir", type=Path, metavar="DIR", help="the versions of another model (the checkout's)")
    read.add_argument(
        "--cluster",
        nargs="?",
        const="",
        metavar="HOST:PORT",
        help="on all machines of the Ray cluster whose head is there, or auto: this machine's; without either, on all "
        "CPUs of this machine; paths go before it",
    )
    read.add_argument(
        "--connections", type=to_1000, metavar="N", help="requests under way at a time, to the service (8)"
    )
    read.add_argument(
        "--patience", type=to_1000, metavar="SECONDS", default=60, help="how long the service may be away (60)"
    )


if __name__ == "__main__":
    sys.exit(main())
