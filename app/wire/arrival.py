"""A request's body, waited for with a deadline only when it has to be waited for."""

import asyncio
from collections.abc import Generator, Iterator
from contextlib import suppress
from types import coroutine
from typing import Any

from starlette.types import Message, Receive

# Who takes longer than this to send a small body is waited for on the thorough way.
PATIENCE_SECONDS = 1.0


async def arrive(receive: Receive, messages: list[Message], patience_s: float) -> None:
    """Appends a request's messages to `messages`: all of them, or what has come within `patience_s`.

    Most bodies come with their head. So the first step is taken by hand, and what is there already is taken without
    a deadline: setting one and taking it back costs 5 µs.
    """
    steps = _collect(receive, messages).__await__()
    try:
        awaited = next(steps)
    except StopIteration:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await _go_on(steps, awaited)


def replaying(messages: list[Message], receive: Receive) -> Receive:
    """Receives `messages` once more, and then what follows them."""
    again: Iterator[Message] = iter(messages)

    async def receive_again() -> Message:
        message = next(again, None)
        return await receive() if message is None else message

    return receive_again


async def _collect(receive: Receive, messages: list[Message]) -> None:
    while True:
        message = await receive()
        messages.append(message)
        if not message.get("more_body"):
            return


@coroutine
def _go_on(steps: Generator[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    """Goes on with `steps`, which wait for `awaited`.

    Cancelled while they wait, nothing is lost: a server hands a message over only when it is asked again.
    """
    yield awaited
    yield from steps
