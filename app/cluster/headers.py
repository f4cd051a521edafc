"""Headers that uvicorn adds to each answer where the service runs it itself."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class WithHeaders:
    """ASGI: `service`, with `headers` in each of its answers."""

    def __init__(self, service: ASGIApp, headers: Iterable[tuple[str, str]]) -> None:
        self._service = service
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        await self._service(scope, receive, send_with_headers)
