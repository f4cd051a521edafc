"""The sockets of workers that have died, served by those that live."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable

from app.process.lifecycle import Lifecycle

log = logging.getLogger("digits")

# Another worker mostly takes its place after 3 s; for so long, those who connect there wait. Taken in by a neighbour at
# once, they would stay with him, and he would have the work of two.
ADOPT_SECONDS = 5


class Orphans:
    """Has `accept` serve the sockets, of all that are in `listeners`, of workers that have been away for long."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        listeners: list[socket.socket],
        accept: Callable[[socket.socket], Awaitable[asyncio.Server]],
    ) -> None:
        self._lifecycle, self._listeners, self._accept = lifecycle, listeners, accept
        self._adopted: dict[int, asyncio.Server] = {}

    async def look(self) -> None:
        """Adopts those that need it now, and gives those back whose worker has been replaced."""
        now = time.monotonic()
        for index, since in enumerate(self._lifecycle.orphaned):
            if not since and index in self._adopted:
                self._adopted.pop(index).close()
            elif since and now > since + ADOPT_SECONDS and self._lifecycle.has_loaded:
                await self._adopt(index)

    async def adopt_all(self) -> list[socket.socket]:
        """Adopts all, however short their worker has been away. Gives their sockets."""
        orphans = [index for index, since in enumerate(self._lifecycle.orphaned) if since]
        for index in orphans:
            await self._adopt(index)
        return [self._listeners[index] for index in orphans]

    def close(self) -> None:
        """Accepts nobody any more."""
        for server in self._adopted.values():
            server.close()

    async def _adopt(self, index: int) -> None:
        if index not in self._adopted:
            log.warning("serving those, too, who connect to worker %d, which is away", index + 1)
            self._adopted[index] = await self._accept(self._listeners[index].dup())  # which is closed with the server
