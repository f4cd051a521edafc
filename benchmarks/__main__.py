"""The command line: `python -m benchmarks`, behind `make bench`."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure, pictures, prepare, report, surroundings, workers
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Run, say
from benchmarks.plot import cpu_plot
from benchmarks.publish import publish
from benchmarks.servers import OWN, PEERS

RESULTS = Path(__file__).with_name("RESULTS.md")
STEPS = {
    "bulk": measure.bulk,
    "pictures": pictures.pictures,
    "beside": pictures.beside,
    "workers": workers.workers,
    "soak": measure.soak,
    "start": measure.start,
}
ALL = (*OWN, *PEERS, *STEPS)
SECONDS, SOAK_REQUESTS = 8.0, 300_000


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures the service against what HTTP alone costs, the usual tutorial, and other model servers.",
        epilog=f"Only a complete run, no shorter than the default, writes {RESULTS.name}; others are only printed.",
    )
    parser.add_argument(
        "--peers", nargs="+", default=[], choices=PEERS, help="measure these as well, each in its own environment"
    )
    parser.add_argument("--only", nargs="+", choices=ALL, metavar="STEP", help=f"nothing but these: {', '.join(ALL)}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long a level lasts (default: %(default)g)")
    parser.add_argument(
        "--soak-requests", type=int, default=SOAK_REQUESTS, help="requests of the soak (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def measure_all(run: Run, steps: Sequence[str]) -> list[str]:
    """Takes the steps in turn. Returns what failed, a line each; the others are measured all the same."""
    failures = []
    for name in steps:
        say(f"{name}:")
        try:
            if name in STEPS:
                STEPS[name](run)
            else:
                measure.contender(run, name, (OWN | PEERS)[name])
        except BenchmarkError as error:
            failures.append(f"{name} failed: {error}")
            say(f"  {failures[-1]}")
    return failures


def main() -> int:
    """Returns the exit status."""
    options = parse(sys.argv[1:])
    chosen = options.only or [*OWN, *options.peers, *STEPS]
    peers = [name for name in PEERS if name in chosen]
    try:
        cpus = prepare.two_cpus()
        prepare.wrk()
        for name in peers:
            prepare.peer(name)
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: end the servers, remove the files
    os.sched_setaffinity(0, {int(cpus[1])})  # our own checks are the client's work
    with tempfile.TemporaryDirectory(prefix="digits-bench-") as folder:
        run = Run(Path(folder), options.seconds, *cpus, options.soak_requests)
        failures = measure_all(run, [name for name in ALL if name in chosen])
    text = report.results(run, surroundings.describe(peers))
    say("\n" + text + "\n".join(failures))
    if not failures and not options.only and options.seconds >= SECONDS and options.soak_requests >= SOAK_REQUESTS:
        publish(RESULTS.with_suffix(".svg"), cpu_plot(run.figures))
        publish(RESULTS, text)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
