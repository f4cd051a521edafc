import asyncio
import logging

import httpx
import pytest
from starlette.types import ASGIApp

from app.main import create_app, surround
from app.settings import Settings
from app.telemetry.log import logging_config


@pytest.fixture
def broken_app() -> ASGIApp:
    """The application with a route that has a fault of ours."""
    app = create_app(Settings())

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("secret detail in /etc/secret")

    return surround(app)


def test_our_own_fault_is_a_500_without_detail_and_logged(
    broken_app: ASGIApp, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(broken_app)  # which raises what the application does
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/broken", headers={"X-Request-ID": "abc"})

    with caplog.at_level(logging.ERROR):
        response = asyncio.run(ask())
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == response.json()["request_id"] == "abc"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in response.text
    assert caplog.text.count("request abc failed") == caplog.text.count("Traceback") == 1


def test_the_log_is_a_line_an_event() -> None:
    assert "\n" not in logging_config()["formatters"]["line"]["format"]
