"""Packets go to many sockets by one system call, each to its own, and what the kernel doesn't take is said.

Real sockets and the real call. Where a system has no such call, these tests ask for another number or machine.
"""

import platform
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.wire import one_call as module
from app.wire.one_call import MOST, NUMBERS, OneCall, one_call

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in NUMBERS, reason="expected Linux on x86_64 or aarch64"
)

Pairs = list[tuple[socket.socket, socket.socket]]


@pytest.fixture
def pairs() -> Iterator[Callable[[int], Pairs]]:
    """Connections, of which the second end doesn't block."""
    made: Pairs = []

    def make(count: int) -> Pairs:
        made.extend(socket.socketpair() for _ in range(count))
        for ours, theirs in made:
            ours.settimeout(20)
            theirs.setblocking(False)
        return made

    yield make
    for pair in made:
        for each in pair:
            each.close()


def received(peer: socket.socket) -> bytes:
    """All that is there to read now."""
    peer.setblocking(False)
    parts = []
    with suppress(BlockingIOError):
        while part := peer.recv(1 << 20):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("count", [0, 1, 2, MOST, MOST + 1, 2 * MOST])
def test_each_gets_its_own_packet_up_to_as_many_as_one_call_takes(pairs: Callable[[int], Pairs], count: int) -> None:
    call, connections = OneCall(), pairs(count)
    for turn in range(3):
        packets = [b"%d: \0 of %d" % (turn, number) * (1 + number % 7) for number in range(count)]
        taken = call.write([theirs.fileno() for _, theirs in connections], packets)
        assert taken == [len(each) for each in packets[:MOST]] + [0] * max(0, count - MOST)
        assert [received(ours) for ours, _ in connections] == packets[:MOST] + [b""] * max(0, count - MOST)


def test_a_full_socket_takes_what_it_can_and_then_nothing(pairs: Callable[[int], Pairs]) -> None:
    call, ((full, theirs), (sound, other)) = OneCall(), pairs(2)
    large, sent = bytes(range(256)) * 8192, b""
    for _ in range(100):
        taken, small = call.write([theirs.fileno(), other.fileno()], [large, b"small"])
        assert small == 5
        sent += large[:taken]
        if not taken:
            break
    else:
        pytest.fail("the socket never was full")
    assert received(full) == sent
    assert set(received(sound).split(b"small")) == {b""}


def test_who_has_gone_takes_nothing_and_holds_up_nobody(pairs: Callable[[int], Pairs]) -> None:
    call, connections = OneCall(), pairs(3)
    connections[1][0].close()
    assert call.write([theirs.fileno() for _, theirs in connections], [b"a", b"b", b"c"]) == [1, 0, 1]
    assert (received(connections[0][0]), received(connections[2][0])) == (b"a", b"c")


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_behind_a_closed_descriptor_what_was_not_sent_is_said(pairs: Callable[[int], Pairs], closed: int) -> None:
    call, connections = OneCall(), pairs(3)
    descriptors = [theirs.fileno() for _, theirs in connections]
    assert call.write(descriptors, [b"before"] * 3) == [6] * 3
    connections[closed][1].close()
    taken = call.write(descriptors, [b"answer"] * 3)
    assert taken == [6] * closed + [0] * (3 - closed)  # the kernel stops there
    for (ours, _), size in zip(connections, taken, strict=True):
        assert received(ours) == b"before" + b"answer"[:size]
    assert call.write([connections[closed - 1][1].fileno()], [b"next"]) == [4]


def test_nothing_is_left_of_those_that_have_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = int(Path("/proc/sys/fs/aio-max-nr").read_text())
    monkeypatch.setattr(module, "MOST", min(allowed // 4, 16_384))
    for _ in range(3 * allowed // module.MOST):
        OneCall()


def test_on_an_unknown_machine_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(one_call(), OneCall)
    monkeypatch.setattr(module, "NUMBERS", {})
    with pytest.raises(OSError, match="expected 64-bit Linux"):
        OneCall()
    assert one_call() is None


@pytest.mark.parametrize(("place", "name"), [(0, "io_setup"), (2, "io_submit"), (3, "io_getevents")])
def test_where_the_system_refuses_a_part_of_it_there_is_none(
    monkeypatch: pytest.MonkeyPatch, place: int, name: str
) -> None:
    numbers = list(NUMBERS[platform.machine()])
    numbers[place] = 100_000
    monkeypatch.setattr(module, "NUMBERS", {platform.machine(): numbers})
    with pytest.raises(OSError, match=f"refuses .*{name}"):
        OneCall()
    assert one_call() is None
