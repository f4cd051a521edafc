"""Answers that take long are given up when nobody waits for them any more."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from app.errors import Overloaded
from app.settings import Settings

T = TypeVar("T")


async def unless_gone(request: Request, settings: Settings, answer: Coroutine[Any, Any, T]) -> T:
    """What `answer` gives. What is to be done for it and hasn't begun is left when the client leaves.

    The request's body has to be read. Raises: as `answer` does; Overloaded, when it takes too long; ClientDisconnect.
    """
    working, leaving = asyncio.create_task(answer), asyncio.create_task(_left(request))
    try:
        await asyncio.wait((working, leaving), timeout=settings.answer_seconds, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if leaving.done():
            raise ClientDisconnect
        raise Overloaded(f"The answer would take longer than {settings.answer_seconds:g} seconds; try again later.")
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
