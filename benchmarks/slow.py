"""`python -m benchmarks.slow`: thousands of clients that send a byte a second, and what others notice of them.

Half of them are in their head, half in their body. The service runs at its defaults, so it cuts the former after 10
seconds and the latter after 60. Small requests are measured before, and while the slow ones are there; then ten
gigabytes are sent, declared and in chunks, and the service's memory is watched; then pictures of too many pixels.
"""

import argparse
import multiprocessing
import os
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import exchanges, prepare, processes
from benchmarks.checking import Checker
from benchmarks.measure import say
from benchmarks.servers import SERVICE, Server, running
from benchmarks.swaps import after

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
# not a large one: of those that say they send a large one, a thousand would be too many, and be told so at once
BODY = HEAD + b"Content-Length: 50000\r\n\r\n"
LONGEST_SECONDS = 70
CONNECTIONS = 16  # of those who aren't slow
PICTURES = 2000
DECLARED = HEAD + b"Content-Length: 10000000000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TOO_LARGE, REFUSALS = (8001, 8001), 500
MEGABYTE = b"100000\r\n" + b"\x00" * 0x100000 + b"\r\n"


@dataclass
class Slow:
    """One of them, and how it ended: with what status (empty: none), after how long."""

    kind: str
    peer: socket.socket
    begun: float
    status: bytes = b""
    seconds: float = 0


def dribble(port: int, count: int) -> dict[str, list[tuple[bytes, float]]]:
    """Connects `count`, sends a byte of each a second, until all are cut. Status and seconds of each, by its kind."""
    ready = selectors.DefaultSelector()
    for number in range(count):
        kind, opening = ("body", BODY) if number % 2 else ("head", HEAD + b"X: ")
        peer = socket.create_connection(("127.0.0.1", port))
        peer.sendall(opening)
        peer.setblocking(False)
        ready.register(peer, selectors.EVENT_READ, Slow(kind, peer, time.monotonic()))
    ends: dict[str, list[tuple[bytes, float]]] = defaultdict(list)
    over = after(LONGEST_SECONDS)
    again = time.monotonic()
    while ready.get_map() and not over():
        for key, _ in ready.select(0.05):
            slow: Slow = key.data
            with suppress(OSError):
                slow.status = slow.peer.recv(65536)[9:12]
            ends[slow.kind].append((slow.status, time.monotonic() - slow.begun))
            ready.unregister(slow.peer)
            slow.peer.close()
        if time.monotonic() > again:
            again += 1
            for key in ready.get_map().values():
                with suppress(OSError):
                    key.data.peer.send(b"x")
    return ends


def p99_ms(server: Server, requests: list[bytes], seconds: float) -> float:
    """Of small requests that come at full speed."""
    checker = Checker(server.port, requests, lambda *_: None)
    checker.run(CONNECTIONS, after(seconds))
    if checker.seen.failed:
        raise SystemExit(f"{checker.seen.failed} failed: {checker.seen.example}")
    return float(np.percentile(checker.seen.latencies_ms(lambda times: times > 0), 99))


def flood(server: Server, opening: bytes) -> tuple[bytes, int, float]:
    """Sends ten gigabytes. The status, how many MiB were sent by then, and how many of memory they cost at most."""
    before = peak = processes.memory(server.root).rss
    answer, sent = b"", 0
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.sendall(opening)
        peer.settimeout(0.001)
        while not answer and sent < 10_000:
            with suppress(TimeoutError, ConnectionError):
                answer = peer.recv(65536)
            peer.settimeout(1)
            with suppress(TimeoutError, ConnectionError):
                peer.sendall(MEGABYTE)
                sent += 1
            peer.settimeout(0.001)
            peak = max(peak, processes.memory(server.root).rss)
    return answer[9:12], sent, peak - before


def refusals(server: Server) -> dict[str, float]:
    """The median seconds to the answer: a 200 for MNIST's 28x28, a 413 for more than MAX_PIXELS, asked by turns."""
    blank = np.zeros(TOO_LARGE, np.uint8)
    pictures = {"28x28": exchanges.load_images()[0], "1 bit": blank > 0, "8 bits": blank}
    bodies = [exchanges.form("file", [exchanges.png(picture)]) for picture in pictures.values()]
    requests = replace(exchanges.upload(exchanges.load_images()[:1]), bodies=bodies).requests()
    times: dict[str, list[float]] = {name: [] for name in pictures}
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        for _ in range(REFUSALS):
            for name, request in zip(pictures, requests, strict=True):
                begun = time.perf_counter()
                peer.sendall(request)
                status = peer.recv(65536)[9:12]
                times[name].append(time.perf_counter() - begun)
                if status != (b"200" if name == "28x28" else b"413"):
                    raise SystemExit(f"expected another answer to {name}; received {status.decode()}")
    return {name: statistics.median(each) for name, each in times.items()}


def measure(server: Server, count: int) -> int:
    """Prints what it finds. The exit status: 1 when a slow one wasn't cut in time, or others noticed."""
    requests = exchanges.upload(exchanges.load_images()[:PICTURES]).requests()
    p99_ms(server, requests, 5)
    quiet = p99_ms(server, requests, 10)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        slow = pool.apply_async(dribble, (server.port, count))
        p99s = []
        while not slow.ready():
            p99s.append(p99_ms(server, requests, 5))
        ends = slow.get()
    busy = statistics.median(p99s)
    say(f"small requests, {CONNECTIONS} connections: p99 {quiet:.2f} ms; beside {count} slow ones {busy:.2f} ms in the")
    say(f"median of {len(p99s)} times 5 s ({busy / quiet:.2f} times), {max(p99s):.2f} ms in the worst of them")
    failed = busy > 2 * quiet or sum(map(len, ends.values())) < count
    for kind, ended in sorted(ends.items()):
        seconds = [each for _, each in ended]
        told = sum(status == b"408" for status, _ in ended)
        after_s = f"after {min(seconds):.1f} to {max(seconds):.1f} s"
        say(f"slow in the {kind}: {len(ended)} cut {after_s}, {told} of them told (408)")
    for kind, opening in (("declared", DECLARED), ("in chunks", CHUNKED)):
        status, sent, cost = flood(server, opening)
        say(f"10 GB {kind}: {status.decode()} when {sent} MiB were sent, {cost:.1f} MiB of memory at the most")
        failed = failed or status != b"413" or cost > 19
    medians = refusals(server)
    answered, *refused = medians.values()
    wide, tall = TOO_LARGE
    said = ", ".join(f"{name} {1e6 * each:.0f} µs" for name, each in medians.items())
    say(f"medians until 28x28 are answered, and {wide}x{tall} of 1 and of 8 bits refused: {said}")
    failed = failed or max(refused) > answered
    return int(failed)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow", description="Thousands of slow clients.")
    parser.add_argument("--clients", type=int, default=2000, help="that are slow (default: %(default)s)")
    count = parser.parse_args().clients
    server_cpu, client_cpu = prepare.two_cpus()
    os.sched_setaffinity(0, {int(client_cpu)})
    with (
        tempfile.TemporaryDirectory(prefix="digits-slow-") as folder,
        running(SERVICE.command, server_cpu, Path(folder) / "service.log") as server,
    ):
        server.wait_ready()
        return measure(server, count)


if __name__ == "__main__":
    sys.exit(main())
