"""What is written in one turn of the event loop leaves together, as the first thing of the next."""

import asyncio
import logging
from collections.abc import Collection
from typing import Any

log = logging.getLogger("digits")

LARGE_BYTES = 64 * 1024  # so much isn't held back


class Outbox:
    """The connections that have something to send, of one event loop.

    A batch's answers are made one by one, and each that is sent wakes who waits for it. Sent one behind the other, they
    find him awake: at 64 connections a client spends 7 µs of CPU on an answer instead of 11. With two workers, which
    share their cores with him, a request costs 55 µs instead of 58, and a tenth more are answered.
    """

    def __init__(self) -> None:
        self._senders: list[Sender] = []

    def put(self, sender: "Sender") -> None:
        """`sender` sends at the beginning of the next turn."""
        if not self._senders:
            asyncio.get_running_loop().call_soon(self._send)
        self._senders.append(sender)

    def _send(self) -> None:
        senders, self._senders = self._senders, []
        for each in senders:
            try:
                each.send()
            except Exception:  # whoever comes next has nothing to do with it
                log.exception("an answer could not be sent")


class Sender:
    """A transport that holds what is written until the event loop's next turn: head and body are one packet.

    But when no other request is under way (`tasks` are those that are), a lone client waits for nothing else: an answer
    that was written in two pieces, as uvicorn writes it, leaves with the second.
    """

    def __init__(self, transport: asyncio.Transport, outbox: Outbox, tasks: Collection[Any]) -> None:
        self._transport = transport
        self._outbox = outbox
        self._tasks = tasks
        self._held = b""
        self.is_closing = transport.is_closing  # asked for each request, and by `__getattr__` it takes 0.7 µs

    def write(self, data: bytes) -> None:
        """As a transport's."""
        is_first = not self._held
        if is_first:
            self._outbox.put(self)
        self._held += data
        if len(self._held) > LARGE_BYTES or (not is_first and len(self._tasks) <= 1):
            self.send()

    def send(self) -> None:
        """Hands what is held to the transport."""
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def write_eof(self) -> None:
        """As a transport's; but what is written later goes nowhere, where a transport raises."""
        self.send()
        self._transport.write_eof()
        self.lose()

    def close(self) -> None:
        """As a transport's."""
        self.send()
        self._transport.close()

    def abort(self) -> None:
        """As a transport's; but what was written while it took everything is not lost."""
        self.send()
        self._transport.abort()

    def lose(self) -> None:
        """From now on there is nobody to write to."""
        self.write = lambda data: None  # type: ignore[method-assign]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
