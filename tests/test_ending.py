"""What becomes of requests that are cut off: by the end of the service, or by others."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.errors import STOPPING
from app.main import create_app, surround
from app.settings import Settings
from tests.support import band, encode

PICTURE = encode(band(7))
HEADERS = [(b"host", b"x"), (b"content-type", b"image/png"), (b"content-length", b"%d" % len(PICTURE))]


class NeverReads:
    """A reader whose model is busy for ever."""

    async def read(self, *_: object) -> None:
        await asyncio.Event().wait()


async def cut_off(query: bytes, models: Path, *, body_comes: bool, stopping: bool) -> list[dict[str, Any]]:
    """What is sent for a picture to /predict that is cancelled while it is under way."""
    app = create_app(Settings(model_dir=models))
    app.state.lifecycle.stopping, app.state.reader = stopping, NeverReads()
    sent: list[dict[str, Any]] = []
    arriving = iter([{"type": "http.request", "body": PICTURE, "more_body": False}] if body_comes else [])

    async def receive() -> dict[str, Any]:
        for message in arriving:
            return message
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/predict", "query_string": query}
    asking = asyncio.ensure_future(surround(app)(scope | {"headers": HEADERS, "client": None}, receive, send))
    await asyncio.sleep(0.1)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert asking.cancelled() != stopping
    return sent


@pytest.mark.parametrize("body_comes", [True, False])
@pytest.mark.parametrize("query", [b"", b"fit=auto"])
def test_what_the_end_cuts_off_is_a_503(query: bytes, body_comes: bool, tiny_models: Path) -> None:
    start, body, *_ = asyncio.run(cut_off(query, tiny_models, body_comes=body_comes, stopping=True))
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"1")
    assert STOPPING.encode() in body["body"]


@pytest.mark.parametrize("body_comes", [True, False])
@pytest.mark.parametrize("query", [b"", b"fit=auto"])
def test_what_others_cancel_is_not_answered(query: bytes, body_comes: bool, tiny_models: Path) -> None:
    """Ray does so with what nobody waits for any more."""
    assert asyncio.run(cut_off(query, tiny_models, body_comes=body_comes, stopping=False)) == []
