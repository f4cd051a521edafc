"""The figures of a run as Markdown. What was not measured in it is left out, or said to be missing."""

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.exchanges import PICTURES, PNG_BATCH, RAW_BATCH, TOLERANCE
from benchmarks.measure import BULK_CONNECTIONS, CONNECTIONS, NOISE, START_PAIRS, Run
from benchmarks.servers import OWN, PEERS
from benchmarks.workers import CONNECTIONS as WORKERS_CONNECTIONS
from benchmarks.workers import PAIRS

Figures = dict[str, float]


class Ratio(NamedTuple):
    """`over` / `under` (or `over` alone), and what it should be."""

    title: str
    over: str
    under: str | None
    sign: str
    target: float


RATIOS = [
    Ratio(
        "CPU a request against the bare ASGI floor, 64 connections",
        "service/64/cpu_us",
        "floor-asgi/64/cpu_us",
        "≤",
        4,
    ),
    Ratio("requests a second against the reference, 64 connections", "service/64/rate", "reference/64/rate", "≥", 6),
    Ratio("requests a second against the reference, 16 connections", "service/16/rate", "reference/16/rate", "≥", 5),
    Ratio("p50 against the reference's, 1 connection", "service/1/p50_ms", "reference/1/p50_ms", "≤", 0.6),
    Ratio("p99 against p50, 64 connections", "service/64/p99_ms", "service/64/p50_ms", "≤", 2.5),
    Ratio("requests a second against PyTriton, 64 connections", "service/64/rate", "pytriton/64/rate", "≥", 3),
    Ratio("requests a second against LitServe, 64 connections", "service/64/rate", "litserve/64/rate", "≥", 10),
    Ratio("requests a second against BentoML, 64 connections", "service/64/rate", "bentoml/64/rate", "≥", 12),
    Ratio(f"pictures a second, {PNG_BATCH} PNGs a request", "bulk/png/rate", None, "≥", 15_000),
    Ratio(
        f"raw images a second, {RAW_BATCH} a request, float32 out, against in-process",
        "bulk/raw-floats/rate",
        "bulk/in-process/rate",
        "≥",
        0.5,
    ),
    Ratio(
        "preparing a JPEG of 12 megapixels against Pillow's own decode at a reduced scale",
        "pictures/photo/prepare_us",
        "pictures/photo/pillow_us",
        "≤",
        1.5,
    ),
    Ratio("the same over HTTP, all of the request", "pictures/http/cpu_us", "pictures/photo/pillow_us", "≤", 1.5),
    Ratio(
        "fitting a drawing of 200x200 against decoding it",
        "pictures/drawing/fit_us",
        "pictures/drawing/decode_us",
        "≤",
        3,
    ),
    Ratio(
        "fitting noisy paper of 200x200 against decoding it",
        "pictures/noisy/fit_us",
        "pictures/noisy/decode_us",
        "≤",
        3,
    ),
    Ratio(
        "p99 of 16 connections beside 4 of photographs, against alone",
        "beside/photos/p99_ms",
        "beside/quiet/p99_ms",
        "≤",
        5,
    ),
    Ratio("memory (Pss) at the soak's end against its 15th part", "soak/after/pss", "soak/before/pss", "≤", 1.02),
    Ratio("the same as RSS, which no other process changes", "soak/after/rss", "soak/before/rss", "≤", 1.02),
    Ratio("start to ready against a bare load of the model", "start/service", "start/bare", "≤", 1.8),
    *(
        Ratio(
            f"requests a second with LiteRT against TensorFlow, {connections} connections",
            f"litert/{connections}/rate",
            f"service/{connections}/rate",
            "≥",
            1,
        )
        for connections in CONNECTIONS
    ),
    Ratio(
        "start to the first right answer with LiteRT against TensorFlow", "litert/start_s", "service/start_s", "≤", 0.35
    ),
    *(
        Ratio(
            f"requests a second with two workers against one, {connections} connections",
            f"workers/2/{connections}/rate",
            f"workers/1/{connections}/rate",
            "≥",
            1.6,
        )
        for connections in WORKERS_CONNECTIONS
    ),
]

BULK = {
    "png": f"{PNG_BATCH} PNGs a request, JSON out",
    "raw-json": f"{RAW_BATCH} raw images a request, JSON out",
    "raw-floats": f"{RAW_BATCH} raw images a request, float32 out",
}


def table(rows: Iterable[Iterable[object]]) -> str:
    """Markdown: the first row is the head."""
    head, *rest = (f"| {' | '.join(map(str, row))} |" for row in rows)
    return "\n".join([head, "|" + "---|" * (head.count(" | ") + 1), *rest])


def servers_table(figures: Figures, names: Iterable[str]) -> str:
    """A row for each server that was measured."""
    at = " / ".join(map(str, CONNECTIONS))
    head = ["server", f"req/s at {at} connections", "p50 ms", "p99 ms", "CPU µs a request", "memory MiB", "start s"]
    rows = [[*head, "errors", "answers checked"]]
    for name in names:
        server = (OWN | PEERS)[name]
        cells = [levels(figures, name, *what) for what in (("rate", 0), ("p50_ms", 2), ("p99_ms", 2), ("cpu_us", 0))]
        errors = sum(figures[f"{name}/{connections}/errors"] for connections in CONNECTIONS)
        checked = _cells(figures, name, checked=0) if server.checked else ["a constant"]
        rows.append([server.title, *cells, *_cells(figures, name, pss_mb=0, start_s=2), f"{errors:.0f}", *checked])
    return table(rows)


def levels(figures: Figures, name: str, what: str, digits: int) -> str:
    """A figure at all numbers of connections, with so many decimals."""
    return " / ".join(f"{figures[f'{name}/{connections}/{what}']:,.{digits}f}" for connections in CONNECTIONS)


def value(ratio: Ratio, figures: Figures) -> float | None:
    """None when the run lacks a figure for it."""
    over, under = figures.get(ratio.over), figures.get(ratio.under) if ratio.under else 1.0
    return None if over is None or not under else over / under


def ratios_table(figures: Figures) -> str:
    """What the project cares about, each with its target."""
    rows = [["what", "ratio or figure", "target", ""]]
    for ratio in RATIOS:
        got = value(ratio, figures)
        if got is None:
            rows.append([ratio.title, "not measured", f"{ratio.sign} {ratio.target:,}", ""])
        else:
            met = got <= ratio.target if ratio.sign == "≤" else got >= ratio.target
            shown = f"{got:,.0f}" if got >= 100 else f"{got:.2f}"
            rows.append([ratio.title, shown, f"{ratio.sign} {ratio.target:,}", "met" if met else "**missed**"])
    return table(rows)


def bulk_table(figures: Figures) -> str:
    """Many pictures a request, and the model alone."""
    rows = [["way in and out", "pictures/s", "p50 ms", "p99 ms", "CPU µs a picture"]]
    for name, title in BULK.items():
        rows.append([title, *_cells(figures, f"bulk/{name}", rate=0, p50_ms=1, p99_ms=1, cpu_us=1)])
    rows.append(
        [f"no server: the signature, {RAW_BATCH} a call", *_cells(figures, "bulk/in-process", rate=0), "", "", ""]
    )
    return table(rows)


PICTURES_TITLES = {
    "photo": "a JPEG of 4000x3000, 2 to 3 MB",
    "drawing": "a drawing, PNG of 200x200",
    "noisy": "noisy paper, PNG of 200x200",
}


def pictures_table(figures: Figures) -> str:
    """CPU time by kind of picture."""
    rows = [["µs of CPU", "decoding", "fitting", "both", "Pillow's own decode at 1/8", "over HTTP"]]
    for name, title in PICTURES_TITLES.items():
        cells = _cells(figures, f"pictures/{name}", decode_us=0, fit_us=0, prepare_us=0, pillow_us=0)
        http = _cells(figures, "pictures/http", cpu_us=0) if name == "photo" else ["-"]
        rows.append([title, *cells, *http])
    return table(rows)


def beside_table(figures: Figures) -> str:
    """Small requests, alone and beside photographs."""
    rows = [["requests", "a second", "p50 ms", "p99 ms"]]
    for name, title in BESIDE.items():
        rows.append([title, *_cells(figures, f"beside/{name}", rate=0, p50_ms=2, p99_ms=2)])
    return table(rows)


BESIDE = {
    "quiet": "28x28 PNGs, 16 connections, alone",
    "photos": "the same, beside 4 connections of photographs",
    "large": "those photographs",
}


def workers_table(figures: Figures) -> str:
    """One worker and two."""
    rows = [["workers", "connections", "req/s", "p50 ms", "p99 ms", "CPU µs a request", "memory MiB"]]
    for connections in WORKERS_CONNECTIONS:
        for number in "12":
            cells = _cells(figures, f"workers/{number}/{connections}", rate=0, p50_ms=2, p99_ms=2, cpu_us=0)
            rows.append([number, str(connections), *cells, *_cells(figures, f"workers/{number}", pss_mb=0)])
    return table(rows)


def _cells(figures: Figures, name: str, **whats: int) -> list[str]:
    """Some figures of one thing, each with so many decimals."""
    cells = [(figures.get(f"{name}/{what}"), digits) for what, digits in whats.items()]
    return ["-" if figure is None else f"{figure:,.{digits}f}" for figure, digits in cells]


def soak_table(figures: Figures) -> str:
    """Memory over many requests."""
    rows = [["memory MiB", "Pss", "RSS"]]
    for name, title in {"before": "after the first fifteenth", "after": "at the end"}.items():
        rows.append([title, *_cells(figures, f"soak/{name}", pss=1, rss=1)])
    return table(rows)


def results(run: Run, surroundings: Iterable[str]) -> str:
    """RESULTS.md; of a partial run, what there is."""
    figures = run.figures
    measured = [name for name in OWN | PEERS if f"{name}/pss_mb" in figures]
    notes = [f"{each.title}: {each.note}." for name, each in (OWN | PEERS).items() if name in measured and each.note]
    if absent := [each.title for name, each in PEERS.items() if name not in measured]:
        notes.append(f"Not in this run: {', '.join(absent)}.")
    parts = [HEAD + _list(surroundings), "## Ratios of this run\n\n" + ratios_table(figures)]
    if measured:
        parts += [SERVERS.format(seconds=run.seconds), servers_table(figures, measured), PLOT, _list(notes)]
    if "bulk/png/rate" in figures:
        parts += [BULK_TEXT, bulk_table(figures)]
    if "pictures/http/cpu_us" in figures:
        parts += [PICTURES_TEXT, pictures_table(figures)]
    if "beside/large/rate" in figures:
        parts += [BESIDE_TEXT, beside_table(figures)]
    if "workers/two-cpus" in figures:
        parts += [WORKERS.format(*_cells(figures, "workers", **{"two-cpus": 2})), workers_table(figures)]
    if "soak/requests" in figures:
        parts += [SOAK.format(*_cells(figures, "soak", requests=0, errors=0, bad=0)), soak_table(figures)]
    if "start/bare" in figures:
        parts.append(START.format(*_cells(figures, "start", service=2, bare=2)))
    parts.append(
        f"## Noise\n\nWhere more than {NOISE:.0%} of a CPU went elsewhere:\n\n{_list(run.noise or ['nowhere'])}"
    )
    return "\n\n".join(parts) + "\n"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


HEAD = f"""# Results

Written by `make bench PEERS="{" ".join(PEERS)}"`; without `PEERS=` it measures the rest.

"""
SERVERS = f"""## Servers

Each server has one CPU to itself, and wrk another. wrk sends {PICTURES:,} different digits of MNIST's test set in turn,
as multipart uploads of 28x28 PNGs, {{seconds:g}} s a level, after a warm-up. CPU is the user and system time of the
server's whole process tree for each good answer, memory its Pss at the end, start the time from process start to first
right answer. Class and probabilities (within {TOLERANCE}) are checked before the load, and during it by a second
client, which asks at most 20 times a second for a twentieth of the time, so it changes little."""
PLOT = "![CPU time a request, by server](RESULTS.svg)"
BULK_TEXT = f"""## Many pictures a request

The service on one CPU, {BULK_CONNECTIONS} connections. Checked in the same way."""
PICTURES_TEXT = """## Photographs and drawings

In the process itself, and over HTTP with 4 connections: four photographs of digits on unevenly lit, noisy paper, and
two small pictures."""
BESIDE_TEXT = """## Small requests beside photographs

The service on one CPU, both kinds of clients on the other; alone and together in turn. p99 is the median of three
rounds, the rest is of the last. Every answer is a 200."""
WORKERS = f"""## Two workers

Nothing is pinned: workers and wrk share the two CPUs. Checked in the same way. One worker and two in turn, each
started anew; of {PAIRS} rounds the one in the middle, of the memory the last. 64 connections leave each of two workers
half the company that one has, so its calls of the model are half as long; {WORKERS_CONNECTIONS[-1]} connections
fill those of either.
What a worker does for its uploads, without a server and client, is done {{0}} times as fast by both CPUs as by one."""
SOAK = """## Soak

{0} requests at 64 connections, each answer checked: {1} errors. In between, {2} bad requests of twelve kinds, each
answered with the problem it should be."""
START = f"""## Start

To `/readyz`: {{0}} s. An interpreter that imports TensorFlow and loads the model: {{1}} s. Medians of {START_PAIRS},
in turn, on one CPU."""
