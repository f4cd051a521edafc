"""What becomes of a request that ends by an exception."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import STOPPING, NotReady
from app.problems import refuse
from app.process.lifecycle import Lifecycle


class AnsweredAnyway:
    """ASGI middleware: what the end of the service cuts off is answered by a 503, unless its answer has begun.

    `app.process.stopping` cancels it. Whoever else does is let through: Ray, say, whose client has left. And what has
    failed and is answered goes no further: the server would log it once more, and close the connection unannounced.
    """

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self.app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noting_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, noting_send)
        except Exception:
            if not has_begun:  # or the framework has answered it by a 500, and `app.problems` told of it
                raise
        except asyncio.CancelledError:
            if not self._lifecycle.stopping:
                raise
            if not has_begun:
                await refuse(NotReady(STOPPING), scope, send)
