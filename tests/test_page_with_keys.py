"""The page of a service that wants a key, in a browser: it asks once, and keeps the key as long as the tab is open."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.access.keys import Keys
from app.settings import Settings
from tests.browsing import DIGITS, PAGES, Open, axe_violations, draw, opening
from tests.conftest import serving
from tests.support import SHIPPED_VERSION

KEY = "sesame-0123456789"


@pytest.fixture(scope="module")
def guarded_url() -> Iterator[str]:
    with serving(Settings(model_version=SHIPPED_VERSION, api_keys=Keys([KEY]))) as url:
        yield url


@pytest.fixture
def open_guarded(browser: Browser, guarded_url: str) -> Iterator[Open]:
    complaints: list[str] = []
    with opening(browser, guarded_url, complaints) as open_page:
        yield open_page
    assert all("401 (Unauthorized)" in each for each in complaints), complaints


@pytest.fixture
def page(open_guarded: Open) -> Page:
    return open_guarded()


def answer_with(page: Page, key: str) -> None:
    expect(page.get_by_role("dialog", name="This service wants a key")).to_be_visible()
    page.keyboard.type(key)  # the field has the focus
    page.keyboard.press("Enter")


def expect_seven(page: Page) -> None:
    draw(page, DIGITS[7])
    expect(page.locator("#sentence")).to_have_text(re.compile("^Seven, "))


def test_the_key_is_asked_for_and_kept_for_the_tab(page: Page, open_guarded: Open) -> None:
    dialog = page.get_by_role("dialog")
    answer_with(page, "wrong-0123456789")
    expect(page.get_by_role("alert")).to_have_text("This is not a key of this service.")
    page.keyboard.type(KEY)  # in place of the wrong one, which is selected
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#model")).to_have_text(re.compile("^Model mnist_mlp, version"))
    expect_seven(page)
    expect(page.locator("#why")).to_be_visible()
    assert page.locator("#curl").text_content() == (
        f'curl -H "X-API-Key: $DIGITS_API_KEY" -F file=@digit.png {page.url}predict'
    )
    assert KEY not in page.content()
    page.reload()
    expect(page.locator("#model")).to_have_text(re.compile("^Model mnist_mlp, version"))
    expect_seven(page)
    expect(dialog).to_be_hidden()
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("dialog")).to_be_visible()
    expect(open_guarded().get_by_role("dialog")).to_be_visible()


def test_the_report_comes_as_a_file(page: Page) -> None:
    answer_with(page, KEY)
    with page.expect_download() as download:
        page.get_by_role("link", name="About this model").click()
    assert download.value.suggested_filename == f"mnist_mlp-{SHIPPED_VERSION}.html"
    assert "<html" in download.value.path().read_text()


def test_who_has_no_key_is_not_asked_again_and_can_be(page: Page) -> None:
    dialog, again = page.get_by_role("dialog"), page.get_by_role("button", name="Enter the key")
    expect(again).to_be_hidden()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    draw(page, DIGITS[7])
    expect(page.locator("#sentence")).to_have_text("A key is needed")
    expect(dialog).to_be_hidden()
    again.click()
    answer_with(page, KEY)
    expect(page.locator("#sentence")).to_have_text(re.compile("^Seven, "))
    expect(again).to_be_hidden()


def test_a_key_that_is_none_is_not_sent(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer_with(page, "clé")
    expect(page.get_by_role("alert")).to_have_text(re.compile("^Type or paste the key"))
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert not any(each.endswith("/model") for each in asked)


@pytest.mark.parametrize("name", PAGES)
def test_the_dialog_keeps_nobody_out(open_guarded: Open, name: str) -> None:
    page = open_guarded(**PAGES[name])
    answer_with(page, "wrong-0123456789")
    expect(page.get_by_role("alert")).to_have_text("This is not a key of this service.")
    assert axe_violations(page) == []
