"""GET / and what it is made of, as files: types, headers, and nothing else."""

import re

import httpx
import pytest

from app.routes.page import FILES, FOLDER
from tests.picture_of_page import MAX_BYTES, PICTURE


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/page.js", "text/javascript; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_comes_with_its_type_its_tag_and_a_strict_policy(
    client: httpx.Client, path: str, content_type: str
) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == content_type
    assert response.content == (FOLDER / (path.removeprefix("/page/").strip("/") or "index.html")).read_bytes()
    policy = dict(each.strip().split(" ", 1) for each in response.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-cache"
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(response.content))
    assert head.headers["ETag"] == response.headers["ETag"]


def test_what_has_not_changed_is_not_sent_again(client: httpx.Client) -> None:
    tag = client.get("/").headers["ETag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}'):
        response = client.get("/", headers={"If-None-Match": sent})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == tag
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_each_file_has_a_tag_of_its_own() -> None:
    assert len({file.tag for file in FILES.values()}) == len(FILES) > 5


@pytest.mark.parametrize(
    "path",
    ["/page/", "/page/index.html", "/page/../main.py", "/page/..%2fmain.py", "/page/%2e%2e/main.py", "/page/none.js"],
)
def test_nothing_else_is_served(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_it_takes_no_other_method(client: httpx.Client) -> None:
    assert client.post("/").status_code == 405


def test_every_file_that_is_named_is_there_and_none_is_from_elsewhere(client: httpx.Client) -> None:
    named = set(re.findall(r'(?:src|href)="(page/[^"]+)"', client.get("/").text))
    assert named == {"page/icon.svg", "page/style.css", "page/page.js"}
    for name, file in FILES.items():
        text = file.content.decode("utf-8")
        assert not re.search(r"//(?!www\.w3\.org/2000/svg)[a-z]+\.[a-z]", text), name
        for other in re.findall(r'from "\./([^"]+)"', text):
            assert other in FILES
        assert not re.search(r'<style|\sstyle="|\son\w+="|<script(?! type="module" src)', text), name


def test_the_picture_of_the_page_for_readme_is_there_and_light() -> None:
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    assert PICTURE.stat().st_size <= MAX_BYTES
