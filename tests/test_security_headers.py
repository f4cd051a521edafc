"""What every answer says, and what no answer says: no path, no version, no line of a traceback, whatever goes wrong."""

import re
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.access.keys import Keys
from app.errors import ServiceError
from app.settings import CHECKOUT, Settings
from tests.conftest import serving
from tests.support import band, encode, png

KEY = "sesame-0123456789"
SEVEN = encode(band(7))
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
WIDE = png(30_000, 30_000)
SEVERAL = [("files", SEVEN)] * 3
PACKAGES = ("starlette", "fastapi", "uvicorn", "tensorflow", "pillow", "httptools", "python-multipart", "numpy")

# One of each kind, by method, path and what httpx takes.
ASKED: dict[str, tuple[str, str, dict[str, object]]] = {
    "the page": ("GET", "/", {}),
    "a part of the page": ("GET", "/page/page.js", {}),
    "the documentation": ("GET", "/docs", {}),
    "its schema": ("GET", "/openapi.json", {}),
    "a probe": ("GET", "/readyz", {}),
    "metrics": ("GET", "/metrics", {}),
    "an answer of the hot path": ("POST", "/predict", {"content": SEVEN}),
    "an answer of the route": ("POST", "/predict?preview=true", {"content": SEVEN}),
    "no key": ("POST", "/predict", {"content": SEVEN, "headers": {"X-API-Key": "wrong"}}),
    "no path": ("GET", "/nothing/etc/passwd", {}),
    "no file": ("GET", "/page/..%2f..%2fsettings.py", {}),
    "a wrong method": ("DELETE", "/predict", {}),
    "a broken form": ("POST", "/predict", {"content": b"--x\r\nbroken", "headers": FORM}),
    "a wrong field": ("POST", "/predict", {"files": {"picture": SEVEN}}),
    "two files": ("POST", "/predict", {"files": [("file", SEVEN), ("file", SEVEN)]}),
    "no picture": ("POST", "/predict", {}),
    "a bad query": ("POST", "/predict?fit=sometimes", {"content": SEVEN}),
    "an unknown format": ("POST", "/predict", {"content": b"hello"}),
    "a form-urlencoded body": ("POST", "/predict", {"data": {"file": "x"}}),
    "an empty picture": ("POST", "/predict", {"files": {"file": b""}}),
    "a cut-off picture": ("POST", "/predict", {"content": SEVEN[:60]}),
    "a blank picture": ("POST", "/read", {"content": encode(Image.new("L", (64, 64), 255))}),
    "a wrong size": ("POST", "/predict?fit=never", {"content": encode(Image.new("L", (64, 64), 255))}),
    "too many pixels": ("POST", "/predict", {"content": WIDE}),
    "too many bytes": ("POST", "/predict", {"content": b"x" * 2000_000}),
    "too many pictures": ("POST", "/predict/batch", {"files": SEVERAL}),
    "ragged images": ("POST", "/predict/batch", {"content": b"x" * 785}),
    "no report": ("GET", "/model/report", {}),
    "an unknown model": ("GET", "/v2/models/other", {}),
    "bad tensors": ("POST", "/v2/models/tiny/infer", {"content": b"{"}),
    "bad rows": ("POST", "/v1/models/tiny:predict", {"json": {"instances": ["/etc/passwd"]}}),
    "what is not offered": ("POST", "/v2/repository/models/tiny/load", {}),
}


@pytest.fixture(scope="module")
def guarded(tiny_models: Path) -> Iterator[httpx.Client]:
    settings = Settings(model_dir=tiny_models, api_keys=Keys([KEY]), max_batch=2, max_upload_bytes=1_000_000)
    with serving(settings) as url, httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=30) as client:
        yield client


@pytest.mark.parametrize("what", ASKED)
def test_every_answer_is_what_it_says_and_says_no_more(guarded: httpx.Client, what: str) -> None:
    method, path, options = ASKED[what]
    if isinstance(options.get("content"), bytes) and "headers" not in options:
        options = options | {"headers": {"Content-Type": "application/octet-stream"}}
    response = guarded.request(method, path, **options)  # type: ignore[arg-type]
    assert response.status_code < 500 or response.status_code == 501
    assert response.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert "Server" not in response.headers
    assert "X-Powered-By" not in response.headers
    if response.status_code >= 400:
        assert_silent(response.text, f"{response.headers}")


def assert_silent(*texts: str) -> None:
    for text in texts:
        assert not re.search(r'Traceback|File "|line \d+, in|\.py\b', text.replace("settings.py", "")), text
        assert str(CHECKOUT) not in text
        assert "/tmp" not in text
        assert "site-packages" not in text
        for package in PACKAGES:
            assert not re.search(rf"\b{package}\b", text, re.IGNORECASE), text
            assert version(package if package != "tensorflow" else "tensorflow-cpu") not in text


def test_no_example_of_an_error_says_more() -> None:
    for kind in ServiceError.__subclasses__():
        assert_silent(kind.title, kind.example)


def test_pages_can_be_framed_by_nobody_and_tell_nobody_where_one_comes_from(guarded: httpx.Client) -> None:
    for path in ("/", "/page/page.js"):
        headers = guarded.get(path).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_what_is_no_http_gets_no_more(guarded: httpx.Client) -> None:
    url = guarded.base_url
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        connection.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "x-content-type-options: nosniff\r\n" in answer.lower()
    assert_silent(answer)
