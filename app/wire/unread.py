"""What becomes of the part of a request's body that nobody reads."""

import asyncio
import contextlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# This much is still taken in after the answer, for so long. Closing at once would reset the connection, and a client
# that sends everything before it looks (http.client, say) would never see the answer.
LINGER_BYTES = 64 * 1024 * 1024
LINGER_SECONDS = 2.0


class UnreadBody:
    """ASGI middleware: answers a request whose body isn't read to its end at once, then closes the connection.

    So it ends for a wrong path or a body over the limit; without it, what is refused would be received all the same,
    however long.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        unread = True

        async def counting_receive() -> Message:
            nonlocal unread
            message = await receive()
            unread = bool(message.get("more_body"))
            return message

        async def closing_send(message: Message) -> None:
            if not unread:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)
            elif message.get("more_body"):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await _take_in(counting_receive)
                await send({"type": "http.response.body", "body": b""})

        await self.app(scope, counting_receive, closing_send)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "").strip("0") != ""


async def _take_in(receive: Receive) -> None:
    left = LINGER_BYTES
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):  # cancelled when the service ends: all is said
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return
