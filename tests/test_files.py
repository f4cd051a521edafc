"""Files as browsers get them."""

import asyncio

from starlette.requests import Request
from starlette.types import Message

from app.routes.files import HTML, PIECE, file_of, respond


def test_a_large_file_leaves_in_pieces_of_which_one_waits_for_a_slow_client() -> None:
    content = bytes(3 * PIECE + 1)
    scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
    pieces: list[bytes] = []

    async def receive() -> Message:
        raise AssertionError("there is nothing to receive")

    async def send(message: Message) -> None:
        pieces.append(message.get("body", b""))

    asyncio.run(respond(Request(scope), file_of(content, HTML, ""))(scope, receive, send))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) == PIECE
