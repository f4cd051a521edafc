"""The sockets that listen: how they are had, and how they are closed over nobody's head."""

import ctypes
import select
import socket
import struct
import sys
from contextlib import suppress

from app.process.errors import StartError
from app.settings import Settings

# Connections that may wait to be accepted, for instance while Python is still importing.
BACKLOG = 2048

# libuv accepts one connection a turn from a listener, and a turn may be a call of the model for a hundred pictures. Of
# 256 clients that came at once beside a full load, the last was accepted after 300 ms, with eight copies of the socket
# after 55. Where each request takes a connection of its own, 64 at a time, it costs 82 µs of CPU instead of 91; a lone
# client's 1% more.
ACCEPTED_A_TURN = 8

# From Linux's asm-generic/socket.h and linux/filter.h: a program that drops every packet with the flag SYN, which is
# bit 1 of byte 13 of a TCP header, and lets all others through.
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
LOAD_BYTE, JUMP_IF_SET, RETURN = 0x30, 0x45, 0x06
PROGRAM = ((LOAD_BYTE, 0, 0, 13), (JUMP_IF_SET, 0, 1, 0x02), (RETURN, 0, 0, 0), (RETURN, 0, 0, 0xFFFFFFFF))


class AddressError(StartError):
    """The address to listen on can't be had; the message says why."""


def listen(settings: Settings) -> list[socket.socket]:
    """A listening socket for each worker, all on one address.

    Raises: AddressError.
    """
    host, port = settings.host, settings.port
    try:
        first = _bound(host, port)  # alone, so that an address in use is found out
        sockets = [first] * settings.workers
        if settings.workers > 1 and sys.platform == "linux":  # elsewhere the kernel wouldn't deal connections out
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            port = first.getsockname()[1]
            sockets = [first, *(_bound(host, port, shared=True) for _ in range(settings.workers - 1))]
        for each in sockets:
            each.listen(BACKLOG)  # from now on who connects waits for an answer and isn't refused
            each.set_inheritable(True)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"can't listen on {host}, port {port}: {error}.") from error
    return sockets


def several_a_turn(listeners: list[socket.socket]) -> list[socket.socket]:
    """The listeners and copies of them: as many as connections are to be accepted a turn of the event loop."""
    return [*listeners, *(each.dup() for each in listeners for _ in range(ACCEPTED_A_TURN - 1))]


def admit_nobody_new(listener: socket.socket) -> None:
    """Who waits to be accepted still can be; who connects now is unheard.

    Closing a listener resets all who wait in its queue, also him who came after the last look. Who is unheard asks
    again a second later, and is refused if the socket is closed by then. Linux alone can do this.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in PROGRAM))
        with suppress(OSError):  # where a sandbox has no filters, a look and a close follow each other closely
            pointer = struct.pack("HP", len(PROGRAM), ctypes.addressof(program))
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)


def admit_again(listener: socket.socket) -> None:
    """Undoes `admit_nobody_new`, if it was done."""
    if sys.platform == "linux":
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def somebody_waits(listener: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    return bool(select.select([listener], [], [], 0)[0])


def _bound(host: str, port: int, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (44 ms a request on a kept connection) only for a socket that names TCP
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    return listener
