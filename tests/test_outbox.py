"""What is written in one turn of the event loop leaves together, first thing in the next, and nothing of it is lost.

The transport is not a real one: whether two pieces left as one can't be seen from the other end of a socket.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from app.wire.outbox import LARGE_BYTES, Outbox, Sender


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*arguments: Any, **more: Any) -> None:
        asyncio.run(test(*arguments, **more))

    return run


class Recording(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if "eof" in self.done:
            raise RuntimeError("Cannot call write() after write_eof()")
        self.done.append(bytes(data))

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.done.append("closed")
        self.closing = True

    def abort(self) -> None:
        self.done.append("aborted")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 42


def senders(count: int, under_way: int = 2) -> list[tuple[Recording, Sender]]:
    outbox = Outbox()
    recordings = [Recording() for _ in range(count)]
    return [(each, Sender(each, outbox, range(under_way))) for each in recordings]


@in_a_loop
async def test_all_answers_of_a_turn_leave_in_the_next_each_in_one_piece() -> None:
    pairs = senders(3)
    for number, (_, sender) in enumerate(pairs):
        sender.write(b"head %d " % number)
        sender.write(b"body")
    assert [recording.done for recording, _ in pairs] == [[], [], []]
    await asyncio.sleep(0)
    assert [recording.done for recording, _ in pairs] == [[b"head %d body" % number] for number in range(3)]
    await asyncio.sleep(0)
    pairs[0][1].write(b"again")
    await asyncio.sleep(0)
    assert pairs[0][0].done[1:] == [b"again"]


@pytest.mark.parametrize("under_way", [0, 1])
@in_a_loop
async def test_a_lone_answer_leaves_as_soon_as_it_is_whole(under_way: int) -> None:
    ((recording, sender),) = senders(1, under_way)
    sender.write(b"head ")
    assert recording.done == []
    sender.write(b"body")
    assert recording.done == [b"head body"]
    sender.write(b"head of the next")
    await asyncio.sleep(0)
    assert recording.done == [b"head body", b"head of the next"]


@in_a_loop
async def test_what_is_large_is_not_held_back() -> None:
    ((recording, sender),) = senders(1)
    sender.write(b"head ")
    sender.write(bytes(LARGE_BYTES))
    assert recording.done == [b"head " + bytes(LARGE_BYTES)]
    sender.write(bytes(LARGE_BYTES + 1))
    assert recording.done[1:] == [bytes(LARGE_BYTES + 1)]


@pytest.mark.parametrize(("end", "said"), [("close", "closed"), ("abort", "aborted"), ("write_eof", "eof")])
@in_a_loop
async def test_whoever_ends_it_sends_first_what_is_held(end: str, said: str) -> None:
    ((recording, sender),) = senders(1)
    sender.write(b"answer")
    getattr(sender, end)()
    await asyncio.sleep(0)
    assert recording.done == [b"answer", said]


@in_a_loop
async def test_to_whom_has_gone_nothing_is_written() -> None:
    (first, lost), (second, closing) = senders(2)
    lost.lose()
    lost.write(b"answer")
    closing.write(b"answer")
    second.closing = True
    await asyncio.sleep(0)
    assert first.done == second.done == []


@in_a_loop
async def test_after_the_end_nothing_is_written() -> None:
    ((recording, sender),) = senders(1)
    sender.write_eof()
    sender.write(b"HTTP/1.1 100 Continue")
    await asyncio.sleep(0)
    assert recording.done == ["eof"]


@in_a_loop
async def test_who_cannot_be_sent_to_holds_up_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    (first, broken), (second, sound) = senders(2)
    broken.write(b"answer")
    first.write_eof()
    sound.write(b"answer")
    await asyncio.sleep(0)
    assert second.done == [b"answer"]
    assert "could not be sent" in caplog.text


def test_everything_else_is_asked_of_the_transport() -> None:
    ((_, sender),) = senders(1)
    assert sender.get_write_buffer_size() == 42
