"""A request's body, waited for with a deadline only when it has to be waited for."""

import asyncio
from collections.abc import Generator, Iterator
from contextlib import suppress
from types import coroutine
from typing import Any

from starlette.types import Message, Receive

# Client and server are in no hurry to part; but what takes longer than this is for the thorough way to wait for.
PATIENCE_SECONDS = 1.0


async def arrive(receive: Receive, messages: list[Message]) -> None:
    """Appends a request's messages to `messages`: all of them, or what has come within PATIENCE_SECONDS.

    Most bodies come with their head. So the first step is taken by hand, and what is there already is taken without
    a deadline: setting one and taking it back costs 5 µs.
    """
    steps = _collect(receive, messages).__await__()
    try:
        awaited = next(steps)
    except StopIteration:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _go_on(steps, awaited)


def replaying(messages: list[Message], receive: Receive) -> Receive:
    """Receives `messages` once more, and then what follows them."""
    again: Iterator[Message] = iter(messages)

    async def receive_again() -> Message:
        for message in again:
            return message
        return await receive()

    return receive_again


async def _collect(receive: Receive, messages: list[Message]) -> None:
    while True:
        message = await receive()
        messages.append(message)
        if not message.get("more_body"):
            return


@coroutine
def _go_on(steps: Generator[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    """Goes on with `steps`, which wait for `awaited`."""
    yield awaited
    yield from steps
