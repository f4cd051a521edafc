"""`python -m benchmarks.soak`, behind `make soak`: minutes of all that clients send, right, wrong and hostile, mixed.

Each right answer is checked, each wrong request has to get its problem, and of what is hostile every answer but 500 is
right. Memory is looked at all the while.
"""

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from app.settings import CHECKOUT
from benchmarks import exchanges, prepare, processes, surroundings
from benchmarks.bad_requests import BadRequest, bad_requests
from benchmarks.errors import BenchmarkError
from benchmarks.exchanges import FORM, Exchange, form
from benchmarks.fuzz import mutate, seeds
from benchmarks.measure import Run, say
from benchmarks.photos import paper_with
from benchmarks.publish import publish
from benchmarks.servers import SERVICE, Server, running

PAGE = CHECKOUT / "benchmarks" / "SOAK.md"
SECONDS, CONNECTIONS = 600.0, 8
LOOK_SECONDS = 1.0
SLOW_SECONDS = 5.0  # for an answer, with so many others and photographs under way
FLAT = 1.05  # memory, at most, of the last fifth against the second
TELLING_SECONDS = 300.0  # in fewer, memory grows by what is used for the first time
PHOTO_SIDES = 2000, 1500  # pixels
GETS = ("/", "/model", "/model/report", "/metrics", "/readyz", "/openapi.json", "/nowhere")
HOSTILE = {200, 400, 413, 415, 422}
FORMS = [body for _, _, body in (each.partition(b"\n") for each in seeds.forms())]

Ask = Callable[[HTTPConnection, Random], int]  # gives the status; raises ValueError when it is answered wrongly


@dataclass
class Soak:
    """What was asked and answered, by all connections together."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest_ms: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)  # MiB, once in LOOK_SECONDS
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, status: int, seconds: float) -> None:
        """One answer."""
        with self.lock:
            self.statuses[kind, status] += 1
            self.slowest_ms[kind] = max(self.slowest_ms[kind], round(1e3 * seconds))
            if seconds > SLOW_SECONDS:
                self.wrong.append(f"{kind}: {seconds:.1f} s")

    def fail(self, kind: str, error: Exception) -> None:
        """One answer that is not as it should be."""
        with self.lock:
            self.wrong.append(f"{kind}: {type(error).__name__}: {error}"[:500])

    @property
    def is_right(self) -> bool:
        """Whether nothing was wrong and memory didn't grow; the first minutes tell nothing of that."""
        return not self.wrong and (len(self.memory) * LOOK_SECONDS < TELLING_SECONDS or self.growth <= FLAT)

    @property
    def growth(self) -> float:
        """The most memory in the last fifth of the time, over that in the second: the first is warming up."""
        fifth = max(1, len(self.memory) // 5)
        return max(self.memory[-fifth:]) / max(self.memory[fifth : 2 * fifth] or self.memory)


def asks(run: Run) -> dict[str, tuple[int, Ask]]:
    """What is sent, by name: how often, against the others, and how."""
    photo = paper_with(run.images[0], *PHOTO_SIDES, np.random.default_rng(0), noise=4)
    photograph = seeds.encode(Image.fromarray(photo), "JPEG")
    rows = list(seeds.rows_of_digits())
    files = seeds.every_file()
    bad = bad_requests(run.images[0])
    return {
        "pictures, each answer checked": (40, _checked(run, exchanges.upload(run.images))),
        "256 pictures a request, checked": (2, _checked(run, exchanges.png_batch(run.images))),
        "1024 raw images a request, checked": (2, _checked(run, exchanges.raw_batch(run.images, floats=True))),
        "photographs": (1, _posted("/predict", [photograph], {200})),
        "rows of digits": (2, _posted("/read", rows, {200})),
        "explanations": (3, _posted("/explain", [exchanges.png(image) for image in run.images[:50]], {200})),
        "pages, figures, no such path": (5, _got),
        "wrong requests, each its problem": (10, lambda connection, random: _bad(bad, connection, random)),
        "hostile pictures": (25, _posted("/predict", files, HOSTILE, mutate.plain)),
        "hostile pictures to /read": (2, _posted("/read", files, HOSTILE, mutate.plain)),
        "hostile forms": (10, _hostile_form),
    }


def _checked(run: Run, exchange: Exchange) -> Ask:
    def ask(connection: HTTPConnection, random: Random) -> int:
        k = random.randrange(len(exchange.bodies))
        exchange.check(k, exchange.ask(connection, k), run.expected)
        return 200

    return ask


def _posted(path: str, files: Sequence[bytes], right: set[int], mutator: mutate.Mutator | None = None) -> Ask:
    def ask(connection: HTTPConnection, random: Random) -> int:
        data = random.choice(files)
        return _post(connection, path, form("file", [mutator(data, random, files) if mutator else data]), right)

    return ask


def _hostile_form(connection: HTTPConnection, random: Random) -> int:
    return _post(connection, random.choice(seeds.PATHS[:4]), mutate.text(random.choice(FORMS), random, ()), HOSTILE)


def _post(connection: HTTPConnection, path: str, body: bytes, right: set[int]) -> int:
    connection.request("POST", path, body, FORM)
    return _status(connection, path, right)


def _got(connection: HTTPConnection, random: Random) -> int:
    path = random.choice(GETS)
    connection.request("GET", path)
    return _status(connection, path, {404} if path == "/nowhere" else {200})


def _bad(bad: Sequence[BadRequest], connection: HTTPConnection, random: Random) -> int:
    request = random.choice(bad)
    request.send(connection)
    return int(request.status)


def _status(connection: HTTPConnection, path: str, right: set[int]) -> int:
    response = connection.getresponse()
    content = response.read()
    if response.status not in right:
        raise ValueError(f"{path}: expected one of {sorted(right)}; received {response.status}: {content[:200]!r}")
    if response.headers.get_content_type().endswith("json"):
        json.loads(content)
    return response.status


def keep_asking(server: Server, every: dict[str, tuple[int, Ask]], seed: int, deadline: float, soak: Soak) -> None:
    """One connection, until the deadline; opened anew when it was closed."""
    random = Random(seed)
    names, weights = list(every), [share for share, _ in every.values()]
    connection = server.connect()
    while time.monotonic() < deadline:
        (kind,) = random.choices(names, weights)
        began = time.monotonic()
        try:
            status = every[kind][1](connection, random)
            soak.note(kind, status, time.monotonic() - began)
        except (OSError, HTTPException, ValueError, KeyError) as error:
            soak.fail(kind, error)
            connection.close()
    connection.close()


def soaked(run: Run, seconds: float, connections: int, seed: int) -> Soak:
    """All connections at once, and a look at the server's memory each second."""
    soak = Soak()
    every = asks(run)
    with running((*SERVICE.command, "--log-format", "json"), run.server_cpu, run.folder / "soak.log") as server:
        server.wait_ready()
        deadline = time.monotonic() + seconds
        threads = [
            threading.Thread(target=keep_asking, args=(server, every, seed + k, deadline, soak), daemon=True)
            for k in range(connections)
        ]
        for thread in threads:
            thread.start()
        while time.monotonic() < deadline:
            time.sleep(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
            soak.memory.append(processes.memory(server.root).rss)
            if not processes.descendants(server.root):
                raise BenchmarkError("the service has ended; its log is lost with it.")
        for thread in threads:
            thread.join()
    return soak


TEXT = """\
# Minutes of everything at once

`make soak`: {seconds:g} s, {connections} connections, seed {seed}: {answers:,} answers, {errors:,} of them 500, {wrong}
wrong or slower than {slow:g} s. Memory (RSS): {before:,.0f} MiB at the most in the second fifth of the time,
{growth:.3f} times that in the last fifth (at most {flat:g} is right).

{table}

{surroundings}
"""


def page(soak: Soak, options: argparse.Namespace) -> str:
    """All of it."""
    fifth = max(1, len(soak.memory) // 5)
    return TEXT.format(
        seconds=options.seconds,
        connections=options.connections,
        seed=options.seed,
        answers=soak.statuses.total(),
        errors=sum(count for (_, status), count in soak.statuses.items() if status >= 500),
        wrong=len(soak.wrong) or "none",
        slow=SLOW_SECONDS,
        before=max(soak.memory[fifth : 2 * fifth] or soak.memory),
        growth=soak.growth,
        flat=FLAT,
        table=table(soak),
        surroundings="\n".join(f"- {line}" for line in surroundings.describe([])),
    )


def table(soak: Soak) -> str:
    """A line for each kind of request."""
    lines = ["| what | answers by status | slowest, ms |", "|---|---|---|"]
    for kind in dict.fromkeys(kind for kind, _ in soak.statuses):
        by_status = sorted((status, count) for (each, status), count in soak.statuses.items() if each == kind)
        told = ", ".join(f"{status}: {count:,}" for status, count in by_status)
        lines.append(f"| {kind} | {told} | {soak.slowest_ms[kind]:,} |")
    return "\n".join(lines)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Asks a service of its own for minutes, by several connections: pictures, batches, photographs, "
        "rows of digits, pages, wrong requests and hostile ones. Checks every answer, and that memory doesn't grow.",
        epilog=f"Only a run of {SECONDS:g} seconds or more writes {PAGE.name}. Exit status: 0 all is right, 1 not.",
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long (default: %(default)g)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another one sends other things (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: end the server
    try:
        cpus = prepare.two_cpus()
        with tempfile.TemporaryDirectory(prefix="digits-soak-") as folder:
            run = Run(Path(folder), options.seconds, *cpus, 0)
            soak = soaked(run, options.seconds, options.connections, options.seed)
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = page(soak, options)
    say("\n".join([text, *soak.wrong[:20]]))
    if options.seconds >= SECONDS:
        publish(PAGE, text)
    return 0 if soak.is_right else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
