"""What is written in one turn of the event loop leaves together, first thing in the next, and nothing of it is lost.

In the first half the transport is not a real one: whether two pieces left as one can't be seen from the other end of a
socket. In the second they are the service's, with sockets, and what was sent past them is in its place.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import wraps
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from app.wire import outbox as module
from app.wire.one_call import MOST
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


class Connected:
    """Connections of one outbox in the service's event loop: `senders`, and `clients` at their other ends."""

    async def begin(self, count: int) -> None:
        outbox, loop = Outbox(), asyncio.get_running_loop()
        pairs = [socket.socketpair() for _ in range(count)]
        self.clients = [ours for ours, _ in pairs]
        self.transports = [(await loop.connect_accepted_socket(asyncio.Protocol, theirs))[0] for _, theirs in pairs]
        self.senders = [Sender(each, outbox, range(2)) for each in self.transports]
        for each in self.clients:
            each.setblocking(False)

    async def all_of(self, number: int) -> bytes:
        """What client `number` is sent until the connection ends."""
        self.transports[number].close()
        received = b""
        while part := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.clients[number], 1 << 20), 20):
            received += part
        return received

    def end(self) -> None:
        for each in self.clients:
            each.close()


def run_connected(count: int, test: Callable[[Connected], Coroutine[Any, Any, None]]) -> None:
    async def connect_and_test() -> None:
        connected = Connected()
        await connected.begin(count)
        try:
            await test(connected)
        finally:
            connected.end()

    uvloop.run(connect_and_test())


@pytest.fixture(params=["one call", "a call each"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    if request.param == "a call each":
        monkeypatch.setattr(module, "one_call", lambda: None)
    return run_connected


Run = Callable[[int, Callable[[Connected], Coroutine[Any, Any, None]]], None]


def test_all_answers_of_a_turn_are_given_to_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[bytes]] = []

    def write(descriptors: list[int], packets: list[bytes]) -> list[int]:
        assert len(set(descriptors)) == len(packets)
        calls.append(packets)
        return [0, 3, 7]

    async def test(connected: Connected) -> None:
        for sender in connected.senders:
            sender.write(b"answer ")
        await asyncio.sleep(0)
        assert calls == [[b"answer "] * 3]
        # what it didn't take leaves by the transport, and what it took doesn't
        assert [await connected.all_of(number) for number in range(3)] == [b"answer ", b"wer ", b""]

    monkeypatch.setattr(module, "one_call", lambda: SimpleNamespace(write=write))
    run_connected(3, test)


def test_each_of_many_gets_its_own(run: Run) -> None:
    async def test(connected: Connected) -> None:
        for number, sender in enumerate(connected.senders):
            sender.write(b"head %d " % number)
            sender.write(b"body")
        await asyncio.sleep(0.01)
        for number in range(len(connected.senders)):
            assert await connected.all_of(number) == b"head %d body" % number

    run(MOST + 40, test)


@pytest.mark.parametrize("size", [LARGE_BYTES, 10_000_000])  # a socket takes the one at once, and not the other
def test_who_was_sent_much_in_this_turn_gets_everything_once_and_in_order(run: Run, size: int) -> None:
    async def test(connected: Connected) -> None:
        first, second = connected.senders
        large = bytes(range(256)) * (size // 256)
        first.write(b"head")
        first.write(large)
        first.write(b"tail")
        second.write(b"answer")
        await asyncio.sleep(0)
        first.write(b"more")
        second.write(b" and more")
        await asyncio.sleep(0)
        assert await connected.all_of(0) == b"head" + large + b"tailmore"
        assert await connected.all_of(1) == b"answer and more"

    run(2, test)


def test_who_reads_slowly_gets_everything_and_holds_up_nobody(run: Run) -> None:
    async def test(connected: Connected) -> None:
        slow, quick = connected.senders
        large = bytes(range(256)) * 250
        for _ in range(40):  # the socket's room ends in the middle of one of them
            slow.write(large)
            quick.write(b"answer")
            await asyncio.sleep(0)
        assert connected.transports[0].get_write_buffer_size() > 0
        received: list[bytes] = []  # and there is room, of which the transport doesn't know yet
        asyncio.get_running_loop().call_soon(lambda: received.append(connected.clients[0].recv(1 << 20)))
        slow.write(b"last")
        quick.write(b"last")
        await asyncio.sleep(0)
        assert connected.clients[1].recv(1000) == b"answer" * 40 + b"last"
        assert received[0] + await connected.all_of(0) == large * 40 + b"last"

    run(2, test)


def test_a_connection_that_was_aborted_is_sent_nothing(run: Run) -> None:
    async def test(connected: Connected) -> None:
        for sender in connected.senders:
            sender.write(b"answer")
        connected.transports[1].abort()
        await asyncio.sleep(0)
        assert [await connected.all_of(number) for number in range(3)] == [b"answer", b"", b"answer"]

    run(3, test)


def test_whose_client_has_gone_holds_up_nobody(run: Run) -> None:
    async def test(connected: Connected) -> None:
        connected.clients[1].close()
        for sender in connected.senders:
            sender.write(b"answer")
        await asyncio.sleep(0.01)
        assert connected.transports[1].is_closing()
        assert [await connected.all_of(number) for number in (0, 2)] == [b"answer"] * 2

    run(3, test)
