"""How many connections a turn of the event loop accepts."""

import asyncio
import socket
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import uvloop

from app.process.listeners import ACCEPTED_A_TURN, several_a_turn
from tests.support import LITERT, running_service, workers_of

MANY = 4 * ACCEPTED_A_TURN


class Accepted(asyncio.Protocol):
    """What is accepted, in order."""

    def __init__(self) -> None:
        self.transports: list[asyncio.BaseTransport] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transports.append(transport)


def test_of_those_who_wait_several_are_accepted_a_turn() -> None:
    accepted = Accepted()

    async def accept(listener: socket.socket) -> list[int]:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(lambda: accepted, sock=each) for each in several_a_turn([listener])]
        after = [0]
        async with asyncio.timeout(10):
            while after[-1] < MANY:
                await asyncio.sleep(0)
                after.append(len(accepted.transports))
        for server in servers:
            server.close()
        for transport in accepted.transports:
            transport.close()
        await asyncio.sleep(0.1)  # until they are: uvloop would wait for them when it is closed, for ever
        return after

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=MANY))
        for _ in range(MANY):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            after = runner.run(accept(listener))
    assert max(now - before for before, now in pairwise(after)) >= ACCEPTED_A_TURN


@pytest.mark.parametrize("workers", [1, 2])
def test_each_process_that_serves_listens_so_often(tmp_path: Path, tiny_models: Path, workers: int) -> None:
    options = (*LITERT, "--model-dir", str(tiny_models), "--workers", str(workers))
    with running_service(tmp_path, *options, wait=False) as service:
        service.wait_until_ready(workers)
        processes = [service.process.pid] if workers == 1 else workers_of(service)
        inodes = listening(httpx.URL(service.url).port or 0)
        assert len(inodes) == workers
        for pid in processes:
            assert max(copies(pid, inode) for inode in inodes) >= ACCEPTED_A_TURN


def listening(port: int) -> list[str]:
    """The sockets that listen there, as /proc/*/fd calls them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return [f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port]


def copies(pid: int, inode: str) -> int:
    """How many descriptors of a process are that socket."""
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found += descriptor.readlink() == Path(inode)
    return found
