"""GET /docs: swagger-ui from files of our own, as they were published; in a browser that reaches no other machine."""

import hashlib
import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from app.access.entrance import is_open
from app.routes.documentation import FOLDER, INDEX, PARTS
from tests.browsing import PAGES, Open
from tests.support import SEVEN

PATHS = ["/docs", *(f"/docs/{name}" for name in PARTS)]
SWAGGER_UI = FOLDER / "swagger-ui"


@pytest.mark.parametrize("path", PATHS)
def test_a_file_comes_with_its_type_its_tag_and_a_policy(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.content == (INDEX if path == "/docs" else PARTS[path.removeprefix("/docs/")]).read_bytes()
    assert response.headers["Content-Length"] == f"{len(response.content)}"
    kind = {"docs": "html", "js": "javascript", "css": "css"}[re.split(r"[./]", path)[-1]]
    assert response.headers["Content-Type"] == f"text/{kind}; charset=utf-8"
    policy = dict(each.strip().split(" ", 1) for each in response.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "http" not in f"{policy}"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Frame-Options"] == "DENY"
    again = client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == response.headers["Content-Length"]


def test_who_has_no_key_sees_all_of_it() -> None:
    assert all(is_open(path, metrics_are_open=False) for path in PATHS)


@pytest.mark.parametrize("path", ["/docs/", "/docs/index.html", "/docs/LICENSE", "/docs/..%2fmain.py", "/redoc"])
def test_nothing_else_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_swagger_ui_is_as_it_was_published() -> None:
    hashes = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in SWAGGER_UI.iterdir()}
    del hashes["README.md"]
    assert dict(re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (SWAGGER_UI / "README.md").read_text(), re.M)) == hashes


def operation(page: Page, path: str) -> Locator:
    return page.locator(".opblock", has=page.locator(f'[data-path="{path}"]'))


def try_out(page: Page, path: str) -> Locator:
    """Opens the operation, ready to be tried out."""
    block = operation(page, path)
    block.locator(".opblock-summary").click()
    block.get_by_role("button", name="Try it out").click()
    return block


@pytest.mark.parametrize("look", PAGES)
def test_it_shows_every_operation_and_asks_nobody_else(open_page: Open, shipped_url: str, look: str) -> None:
    # the browser knows no name of another machine, and whatever the console says fails the test
    page = open_page(**PAGES[look])
    page.goto(f"{shipped_url}/docs")
    paths = httpx.get(f"{shipped_url}/openapi.json").json()["paths"]
    expect(page.locator(".opblock")).to_have_count(sum(map(len, paths.values())))
    expect(operation(page, "/predict")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_what_it_shows_can_be_tried_out(open_page: Open, shipped_url: str) -> None:
    page = open_page()
    page.goto(f"{shipped_url}/docs")
    alive = try_out(page, "/livez")
    alive.get_by_role("button", name="Execute").click()
    expect(alive.locator(".live-responses-table")).to_contain_text('"status": "alive"')
    predict = try_out(page, "/predict")
    predict.locator("input[type=file]").set_input_files(SEVEN)
    predict.get_by_role("button", name="Execute").click()
    expect(predict.locator(".live-responses-table")).to_contain_text('"digit": 7')
