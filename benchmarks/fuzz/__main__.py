"""The command line: `python -m benchmarks.fuzz`, behind `make fuzz`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from app.settings import CHECKOUT
from benchmarks.fuzz import report
from benchmarks.fuzz.attack import Outcome, attack
from benchmarks.fuzz.targets import TARGETS
from benchmarks.publish import publish

PAGE = CHECKOUT / "benchmarks" / "FUZZ.md"
FINDINGS = CHECKOUT / "benchmarks" / ".fuzz"
INPUTS = 1_000_000


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description="Attacks the reading of pictures, forms and requests, and the whole application, with hostile "
        "inputs. Each target runs in a process of its own; what makes it fail, die, hang or grow is kept in a file.",
        epilog=f"Only a run of all targets with {INPUTS:,} inputs or more writes {PAGE.name}; others are only printed. "
        "Exit status: 0 nothing found, 1 something found, 2 a wrong option.",
    )
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of all targets together (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other inputs (default: %(default)s)")
    parser.add_argument(
        "--only", nargs="+", choices=TARGETS, metavar="TARGET", help=f"nothing but these: {', '.join(TARGETS)}"
    )
    parser.add_argument("--findings", type=Path, default=FINDINGS, help="where what is found is written (%(default)s)")
    parser.add_argument(
        "--replay", nargs=2, metavar=("TARGET", "FILE"), help="try this one input again, in this process"
    )
    options = parser.parse_args(arguments)
    if options.replay and options.replay[0] not in TARGETS:
        parser.error(f"--replay: expected one of {', '.join(TARGETS)}; received {options.replay[0]!r}.")
    if options.inputs < 1:
        parser.error(f"--inputs: expected a number from 1 on; received {options.inputs}.")
    return options


def shares(names: Sequence[str], inputs: int) -> dict[str, int]:
    """How many of the inputs each target gets, by what it costs; at least one."""
    total = sum(TARGETS[name].share for name in names)
    counts = {name: max(1, inputs * TARGETS[name].share // total) for name in names}
    counts[names[0]] += max(0, inputs - sum(counts.values()))
    return counts


def attack_all(names: Sequence[str], inputs: int, seed: int, findings: Path) -> list[Outcome]:
    """Each in turn; on a terminal with a bar."""
    console = Console(stderr=True)
    outcomes: list[Outcome] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(None),
        TextColumn("{task.completed:,}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=inputs)
        for name, count in shares(names, inputs).items():
            done = sum(each.inputs for each in outcomes)
            bars.update(task, description=name)
            tell = lambda outcome, done=done: bars.update(task, completed=done + outcome.inputs)  # noqa: E731
            outcomes.append(attack(name, count, seed, findings / name, tell))
            _say(console, outcomes[-1])
    return outcomes


def _say(console: Console, outcome: Outcome) -> None:
    speed = outcome.inputs / max(outcome.seconds, 1e-9)
    text = f"{outcome.name}: {outcome.inputs:,} inputs, {speed:,.0f}/s, slowest {outcome.slowest_ms:.0f} ms of CPU"
    console.print(f"{text}, {len(outcome.findings)} findings", highlight=False, markup=False)
    for finding in outcome.findings:
        console.print(finding, highlight=False, markup=False, soft_wrap=True)
    if outcome.findings:
        console.print(f"again: python -m benchmarks.fuzz --replay {outcome.name} FILE", highlight=False, markup=False)


def main() -> int:
    """Returns the exit status."""
    options = parse(sys.argv[1:])
    if options.replay:
        name, file = options.replay
        TARGETS[name].prepare()(Path(file).read_bytes())
        print("Nothing is wrong with it.")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: end the child
    outcomes = attack_all(options.only or list(TARGETS), options.inputs, options.seed, options.findings)
    print(report.table(outcomes))
    if not options.only and options.inputs >= INPUTS:
        publish(PAGE, report.page(outcomes, options.seed))
    return 1 if any(each.findings for each in outcomes) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
