"""`python -m benchmarks.overload`: three times as many photographs as the service can read, for a minute.

They come at random times, whether or not the ones before are answered. The service runs at its defaults on one CPU.
Quiet is one photograph at a time; small requests are asked beside, all the time.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import exchanges, photos, prepare, processes
from benchmarks.measure import say
from benchmarks.servers import SERVICE, Server, running

QUIET, SMALL_PAUSE_SECONDS = 100, 0.02
TIMES, LONGEST_TIMES, FAST_SECONDS = 3, 5, 0.05
PATIENCE_SECONDS = 20


@dataclass
class Seen:
    """One answer. Seconds from before connecting to the end of the answer; `at`: when that was, by time.monotonic."""

    status: int
    seconds: float
    at: float


async def ask(port: int, request: bytes, head: int) -> Seen:
    """Over a connection of its own. As curl does, sends the head, and the body until it is answered."""
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request[:head])
        answered = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        for at in range(head, len(request), 65536):
            if answered.done():
                break
            writer.write(request[at : at + 65536])
            await writer.drain()
        status = int((await asyncio.wait_for(answered, PATIENCE_SECONDS))[9:12])
        return Seen(status, time.monotonic() - begin, time.monotonic())
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return Seen(0, time.monotonic() - begin, time.monotonic())
    finally:
        writer.close()


def request_of(picture: bytes) -> tuple[bytes, int]:
    """POST /predict, and how long its head is."""
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
    return head + picture, len(head)


async def one_by_one(port: int, requests: list[tuple[bytes, int]], count: int, pause_s: float = 0) -> list[Seen]:
    """Closed loop: the next when the one before is answered."""
    seen = []
    for k in range(count):
        seen.append(await ask(port, *requests[k % len(requests)]))
        await asyncio.sleep(pause_s)
    return seen


async def at_random(port: int, requests: list[tuple[bytes, int]], rate: float, seconds: float) -> list[Seen]:
    """Open loop: `rate` a second, as if each were sent by somebody else (Poisson)."""
    chance = random.Random(0)  # noqa: S311
    tasks: list[asyncio.Task[Seen]] = []
    due = time.monotonic()
    end = due + seconds
    while due < end:
        due += chance.expovariate(rate)
        await asyncio.sleep(max(0, due - time.monotonic()))
        tasks.append(asyncio.create_task(ask(port, *requests[len(tasks) % len(requests)])))
    return list(await asyncio.gather(*tasks))


def percentile_ms(seen: list[Seen], share: float) -> float:
    """Of the times that answers took."""
    return float(np.percentile([each.seconds for each in seen], share)) * 1e3 if seen else 0.0


def times_of(seen: list[Seen]) -> str:
    """In words."""
    return ", ".join(
        f"{name} {percentile_ms(seen, at):.1f} ms" for name, at in (("p50", 50), ("p99", 99), ("worst", 100))
    )


async def measure(server: Server, seconds: float) -> int:
    """Prints what it finds. The exit status: 1 when a promise isn't kept."""
    images = exchanges.load_images()
    heavy = [request_of(each) for each in photos.photographs(images[:8])]
    small = [request_of(exchanges.png(each)) for each in images[:100]]
    await one_by_one(server.port, heavy, 20)
    begin = time.monotonic()
    quiet = await one_by_one(server.port, heavy, QUIET)
    capacity = QUIET / (time.monotonic() - begin)
    await at_random(server.port, heavy, TIMES * capacity, 5)  # memory is what it is under load
    quiet_small = await one_by_one(server.port, small, QUIET, SMALL_PAUSE_SECONDS)
    before = processes.memory(server.root).rss
    beside = asyncio.create_task(
        one_by_one(server.port, small, int(seconds / SMALL_PAUSE_SECONDS * 0.8), SMALL_PAUSE_SECONDS)
    )
    seen = await at_random(server.port, heavy, TIMES * capacity, seconds)
    after = processes.memory(server.root).rss
    over = time.monotonic()
    smalls = await beside
    again = await one_by_one(server.port, heavy, QUIET)
    good, refused = ([each for each in seen if each.status == status] for status in (200, 503))
    others = len(seen) - len(good) - len(refused)
    slow = percentile_ms(good, 99) / percentile_ms(quiet, 99)
    recovered = [each for each in again if each.at > over + 1]
    back = percentile_ms(recovered, 50) / percentile_ms(quiet, 50)
    offered = len(seen) / seconds
    say(f"quiet: {capacity:.1f} photographs a second, {times_of(quiet)}")
    say(f"offered: {offered:.0f} a second for {seconds:g} s, {offered / capacity:.1f} times as many")
    say(f"answered: {len(good)}, {times_of(good)}: p99 is {slow:.1f} times that of quiet")
    say(f"refused (503): {len(refused)}, {times_of(refused)}; neither: {others}")
    say(
        f"small ones beside: p99 {percentile_ms(smalls, 99):.1f} ms (quiet {percentile_ms(quiet_small, 99):.1f}), "
        f"{sum(each.status != 200 for each in smalls)} refused"
    )
    say(f"memory: {before:.0f} → {after:.0f} MiB ({after / before - 1:+.1%})")
    say(
        f"from one second after on: p50 {back:.2f} times quiet, {sum(each.status != 200 for each in recovered)} refused"
    )
    fast = all(each.seconds <= FAST_SECONDS for each in refused)
    kept = slow < LONGEST_TIMES and fast and not others and after < 1.05 * before and back < 1.2
    return 0 if kept else 1


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description="More than it can do.")
    parser.add_argument("--seconds", type=float, default=60, help="of the overload (default: %(default)s)")
    seconds = parser.parse_args().seconds
    server_cpu, client_cpu = prepare.two_cpus()
    os.sched_setaffinity(0, {int(client_cpu)})
    with (
        tempfile.TemporaryDirectory(prefix="digits-overload-") as folder,
        running(SERVICE.command, server_cpu, Path(folder) / "service.log") as server,
    ):
        server.wait_ready()
        return asyncio.run(measure(server, seconds))


if __name__ == "__main__":
    sys.exit(main())
