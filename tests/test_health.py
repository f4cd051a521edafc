"""Readiness and liveness are three things apart, also when there is no model to be had."""

import asyncio
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.healthcheck import is_ready
from app.main import create_service
from app.settings import Settings
from tests.support import CHECKOUT, running_service, waiting


def test_it_is_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    for path in ("/readyz", "/health", "/healthz"):
        response = client.get(path)
        assert response.status_code == 200
        assert response.json() == {"status": "ready", "model": {"name": "tiny", "version": 2}}
        assert client.head(path).status_code == client.head("/livez").status_code == 200


def test_the_containers_check_agrees(client: httpx.Client) -> None:
    assert is_ready(client.base_url.port or 0)
    assert not is_ready(1)


@pytest.mark.parametrize(("host", "status"), [("0.0.0.0", 0), ("127.0.0.2", 1)])
def test_the_containers_check_asks_where_the_service_listens(client: httpx.Client, host: str, status: int) -> None:
    """Which may be one address of several; the test's service listens on 127.0.0.1."""
    environment = os.environ | {"DIGITS_HOST": host, "DIGITS_PORT": str(client.base_url.port)}
    command = [sys.executable, "-m", "app.healthcheck"]
    assert subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode == status


@pytest.mark.parametrize("path", ["/readyz", "/health", "/healthz", "/model"])
def test_before_the_model_is_loaded_it_is_alive_but_not_ready(path: str, tmp_path: Path, tiny_models: Path) -> None:
    # without its lifespan the application never loads a model: the state of its first second, held still
    transport = httpx.ASGITransport(create_service(Settings(model_dir=tiny_models)))

    async def ask() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/livez"), await client.get(path), await client.post("/predict", content=b"x")

    live, ready, predict = asyncio.run(ask())
    assert live.status_code == 200
    for response in (ready, predict):
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert "still being loaded" in response.json()["detail"]


def test_what_is_loaded_is_out_of_the_garbage_collectors_sight(client: httpx.Client) -> None:
    assert client.get("/readyz").status_code == 200  # the server is in this process
    assert gc.get_freeze_count() > 100_000


def test_a_real_start_is_alive_first_and_ready_later(tmp_path: Path, tiny_models: Path) -> None:
    with running_service(tmp_path, "--model-dir", str(tiny_models), wait=False) as service:
        assert httpx.get(service.url + "/livez", timeout=30).status_code == 200
        service.wait_until_ready()
        assert httpx.get(service.url + "/readyz").json()["model"]["version"] == 2


def test_a_model_that_cannot_be_loaded_leaves_it_alive_and_not_ready(tmp_path: Path, tiny_models: Path) -> None:
    broken = shutil.copytree(tiny_models / "1", tmp_path / "broken" / "1")
    (broken / "saved_model.pb").write_bytes(b"")
    with running_service(tmp_path, "--model-dir", str(broken.parent), wait=False) as service:
        for _ in waiting("the refusal"):
            if "not ready:" in service.log.read_text():
                break
        response = httpx.get(service.url + "/readyz")
        assert response.status_code == 503
        assert "log says why" in response.json()["detail"]
        assert str(tmp_path) not in response.text
        assert httpx.get(service.url + "/livez").status_code == 200
    assert "Traceback" not in service.log.read_text()
