"""The thread behind the event loop: out of its way, and yet never without its share."""

import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest

from app.backroom import LOOK_SECONDS, Backroom
from tests.support import CHECKOUT

pytestmark = pytest.mark.alone

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is the whole process's")


def test_what_is_done_there_is_answered_or_raised() -> None:
    async def both() -> tuple[int, BaseException]:
        backroom = Backroom()
        good = await backroom.run(lambda: 7)
        bad = await asyncio.gather(backroom.run(lambda: 1 // 0), return_exceptions=True)
        return good, bad[0]  # type: ignore[return-value]

    good, bad = asyncio.run(both())
    assert good == 7
    assert isinstance(bad, ZeroDivisionError)


def test_one_thing_is_done_after_the_other_in_one_thread() -> None:
    async def three() -> list[int]:
        backroom = Backroom()
        return await asyncio.gather(*(backroom.run(threading.get_ident) for _ in range(3)))

    threads = set(asyncio.run(three()))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@linux
def test_the_thread_runs_only_when_nothing_else_wants_to() -> None:
    assert asyncio.run(Backroom().run(lambda: os.sched_getscheduler(threading.get_native_id()))) == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


BUSY = """
import asyncio, hashlib, os, time
from app.backroom import Backroom
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

def work():  # as a decoder does, without Python's lock
    hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000)

async def main():
    task = asyncio.create_task(Backroom().run(work))
    begin = time.monotonic()
    while not task.done():  # the loop is never idle, and on the only core
        assert time.monotonic() - begin < 20
        await asyncio.sleep(0)
    print(time.monotonic() - begin)

asyncio.run(main())
"""


@linux
def test_it_has_its_share_of_a_core_that_the_loop_keeps_busy() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 10  # about 1 s alone; by the kernel's rules, 340 times what the work takes: 34 s


def test_the_loop_looks_only_while_something_is_done_and_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = Backroom._look

    def counted(self: Backroom, loop: asyncio.AbstractEventLoop) -> None:
        looks.append(time.monotonic())
        look(self, loop)

    monkeypatch.setattr(Backroom, "_look", counted)

    async def one_after_the_other() -> None:
        backroom = Backroom()
        for _ in range(40):
            await asyncio.gather(*(backroom.run(lambda: time.sleep(0.01)) for _ in range(2)))
        assert looks
        looks.append(time.monotonic())
        await asyncio.sleep(0.1)

    begin = time.monotonic()
    asyncio.run(one_after_the_other())
    assert len(looks) <= (looks[-1] - begin) / LOOK_SECONDS + 1
