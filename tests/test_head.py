"""Every path that takes GET takes HEAD, and answers alike, but for the body."""

import httpx
import pytest

from app.main import create_app
from app.settings import Settings

DOCUMENT = create_app(Settings()).openapi()
LISTED = [path.replace("{model}", "tiny") for path, operations in DOCUMENT["paths"].items() if "get" in operations]
UNLISTED = ["/", "/page/page.js", "/docs", "/openapi.json", "/health", "/v1/models/tiny/versions/1/metadata"]
WRONG = ["/nowhere", "/page/nothing", "/v2/models/another", "/v1/models/tiny:regret"]


@pytest.mark.parametrize("path", [*LISTED, *UNLISTED, *WRONG])
def test_head_is_answered_as_get_is(client: httpx.Client, path: str) -> None:
    got, asked = client.get(path), client.head(path)
    assert asked.status_code == got.status_code
    assert asked.headers["Content-Type"] == got.headers["Content-Type"]
    assert asked.content == b""
    if path != "/metrics":  # which changes
        assert asked.headers["Content-Length"] == str(len(got.content))


def test_the_document_lists_no_head() -> None:
    assert {method for operations in DOCUMENT["paths"].values() for method in operations} == {"get", "post"}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/metrics", "GET, HEAD"), ("/", "GET, HEAD"), ("/v2/models/tiny", "GET, HEAD"), ("/predict", "POST")],
)
def test_what_a_path_takes_is_said(client: httpx.Client, path: str, allowed: str) -> None:
    response = client.put(path)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
    assert f"takes {allowed};" in response.text


def test_head_of_what_takes_only_post_is_a_405(client: httpx.Client) -> None:
    response = client.head("/v1/models/tiny:predict")
    assert (response.status_code, response.headers["Allow"], response.content) == (405, "POST", b"")
