"""The page of a long run: benchmarks/FUZZ.md."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from benchmarks import surroundings
from benchmarks.fuzz.attack import Outcome
from benchmarks.fuzz.child import MAX_BYTES, SLOW_SECONDS

TEXT = """\
# What the fuzzers found

`make fuzz`: {inputs:,} inputs of at most {max_bytes:,} bytes, {seconds:,.0f} s, seed {seed}. {verdict}

A finding is an exception that isn't a problem told to the client, an answer with a status that `/openapi.json` doesn't
declare (500 among them), a process that dies, an input that takes longer than {slow:g} s in the best of three tries, or
memory that grows by a tenth from the first half of the inputs to the second. Pictures may have a million pixels here.
The inputs are real files, forms and requests (`benchmarks/fuzz/seeds.py`), changed by what knows their format
(`mutate.py`) and, where a change reaches another branch of the code, changed further ({engine}). Branches are those of
app, Pillow and python-multipart.

{table}

{surroundings}
"""
HEAD = """\
| target | inputs | inputs/s | branches | slowest, ms of CPU | memory, MiB: first half, second | findings |
|---|---|---|---|---|---|---|
"""
PACKAGES = ("atheris", "pillow-heif", "opencv-python-headless")


def page(outcomes: Sequence[Outcome], seed: int) -> str:
    """All of it."""
    findings = [f"- {each.name}: {finding}" for each in outcomes for finding in each.findings]
    versions = ", ".join(_version(name) for name in PACKAGES)
    return TEXT.format(
        inputs=sum(each.inputs for each in outcomes),
        max_bytes=MAX_BYTES,
        seconds=sum(each.seconds for each in outcomes),
        seed=seed,
        slow=SLOW_SECONDS,
        verdict="Nothing was found." if not findings else "Found:\n\n" + "\n".join(findings),
        engine="atheris" if outcomes and outcomes[0].branches is not None else "not in this run: atheris is missing",
        table=table(outcomes),
        surroundings="\n".join(f"- {line}" for line in [*surroundings.describe([]), versions]),
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a target."""
    return HEAD + "\n".join(_row(each) for each in outcomes)


def _row(each: Outcome) -> str:
    first, second = each.halves
    branches = "-" if each.branches is None else f"{each.branches:,}"
    speed = each.inputs / max(each.seconds, 1e-9)
    return (
        f"| {each.name} | {each.inputs:,} | {speed:,.0f} | {branches} | {each.slowest_ms:,.1f} | "
        f"{first:,.0f}, {second:,.0f} | {len(each.findings)} |"
    )


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"
