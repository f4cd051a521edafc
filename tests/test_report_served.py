"""GET /model/report, and the report as people see it: in a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from app.model.report import MAX_BYTES, read_report
from app.settings import Settings
from tests.browsing import PAGES, PHONE, Open, axe_violations
from tests.conftest import serving
from tests.reports import FASHION, findings
from training.dataset import Dataset
from training.report import write_report


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path, mnist: Dataset) -> Path:
    """A version with a report, whose labels are long."""
    version = shutil.copytree(tiny_models / "1", tmp_path_factory.mktemp("models") / "tiny" / "1")
    write_report(version, findings(mnist, labels=FASHION))
    return version


@pytest.fixture(scope="module")
def url(version: Path) -> Iterator[str]:
    with serving(Settings(model_dir=version.parent)) as url:
        yield url


def test_it_is_served_with_a_policy_that_lets_it_run_nothing(url: str, version: Path) -> None:
    response = httpx.get(f"{url}/model/report")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.content == (version / "report" / "index.html").read_bytes()
    policy = dict(each.strip().split(" ", 1) for each in response.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert (policy["style-src"], policy["img-src"]) == ("'unsafe-inline'", "data:")
    assert "script-src" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert httpx.get(f"{url}/model").json()["report"] == "/model/report"


def test_who_has_it_is_told_so(url: str) -> None:
    head = httpx.head(f"{url}/model/report")
    assert (head.status_code, head.content) == (200, b"")
    again = httpx.get(f"{url}/model/report", headers={"If-None-Match": head.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_version_without_a_report_says_so(client: httpx.Client) -> None:
    response = client.get("/model/report")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "Expected a report of tiny version 2; it was published without one." in response.json()["detail"]
    assert client.get("/model").json()["report"] is None


def test_nothing_beside_it_is_served(url: str) -> None:
    for path in ("/model/report/", "/model/report/../metadata.json", "/model/metadata.json", "/model/report%2f..%2f1"):
        assert httpx.get(url + path).status_code == 404


def test_what_is_no_report_is_none(tmp_path: Path) -> None:
    (tmp_path / "report").write_bytes(b"a file where a folder should be")
    assert read_report(tmp_path) is None
    (tmp_path / "report").unlink()
    (tmp_path / "report").mkdir()
    with (tmp_path / "report" / "index.html").open("wb") as file:
        file.truncate(MAX_BYTES)
        assert len(read_report(tmp_path) or b"") == MAX_BYTES
        file.truncate(MAX_BYTES + 1)
        assert read_report(tmp_path) is None


@pytest.mark.parametrize("look", PAGES)
def test_nothing_keeps_anyone_out(open_page: Open, url: str, look: str) -> None:
    page = open_page(f"{url}/model/report", **PAGES[look])
    assert axe_violations(page) == []


@pytest.mark.parametrize("width", [320, 360, 768])
def test_on_small_screens_nothing_is_cut_off(open_page: Open, url: str, width: int) -> None:
    page = open_page(f"{url}/model/report", **PHONE | {"viewport": {"width": width, "height": 640}})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_the_page_to_draw_on_leads_to_it_where_there_is_one(open_page: Open, url: str, tiny_url: str) -> None:
    page = open_page(url)
    page.get_by_role("link", name="About this model").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A network that tells ten classes apart")
    other = open_page(tiny_url)
    expect(other.locator("#model")).to_have_text("Model tiny, version 2")
    expect(other.locator("#report")).to_be_hidden()
