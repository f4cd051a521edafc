"""The page as people use it: in a browser, against the real service with the shipped model."""

import base64
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, Route, expect

from tests.browsing import DIGITS, PAGES, PHONE, Open, axe_violations, draw, on_screen
from tests.support import CHECKOUT, SEVEN, band, encode, waiting

expect.set_options(timeout=20_000)  # ms: a busy machine

WORDS = ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"]


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page()


def expect_answer(page: Page, digit: int) -> None:
    """Waits until a screen reader is told of `digit`."""
    expect(page.locator("#status")).to_have_text(re.compile(rf"^(Perhaps )?{WORDS[digit]}, ", re.IGNORECASE))
    expect(page.locator("#numeral")).to_have_text(str(digit))


def photo_of_seven() -> bytes:
    """Dark ink on grey paper, 800x600, within the box 290, 140, 490, 440."""
    photo = Image.new("RGB", (800, 600), (205, 200, 190))
    ImageDraw.Draw(photo).line([(303, 153), (476, 156), (380, 427)], (40, 40, 60), 26, "curve")
    return encode(photo, "JPEG", quality=90)


def file_of(data: bytes, name: str = "photo.jpg") -> Any:
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def transfer_of(page: Page, data: bytes) -> Any:
    """What a drop or the clipboard holds: one file."""
    return page.evaluate_handle(
        """text => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
            transfer.items.add(new File([bytes], "seven.png", { type: "image/png" }));
            return transfer;
        }""",
        base64.b64encode(data).decode("ascii"),
    )


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_drawn_with_the_mouse_is_read(page: Page, digit: int) -> None:
    draw(page, DIGITS[digit])
    expect_answer(page, digit)
    rows = page.locator("#bars li").all_inner_texts()
    assert [row.split("\n")[0].strip() for row in rows] == list("0123456789")
    expect(page.locator("#bars li.best .label")).to_have_text(str(digit))


def test_the_answer_appears_while_one_draws(page: Page) -> None:
    points = on_screen(page, DIGITS[7][0])
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(x, y, steps=10)
    expect(page.locator("#sentence")).to_have_text(re.compile("^Seven, "))
    page.mouse.up()


def test_a_blank_sheet_asks_nothing_and_a_drawing_one_question_at_a_time(open_page: Open) -> None:
    page = open_page()
    under_way, most, asked = 0, 0, []

    def ask(route: Route) -> None:
        nonlocal under_way, most
        asked.append(route.request.url)
        under_way += 1
        most = max(most, under_way)
        response = route.fetch()
        under_way -= 1
        route.fulfill(response=response)

    page.route("**/explain*", ask)
    page.keyboard.press("Escape")
    draw(page, DIGITS[3] + DIGITS[3])
    expect_answer(page, 3)
    assert 1 < len(asked) < 60
    assert most == 1
    page.keyboard.press("Escape")
    expect(page.locator("#sentence")).to_have_text("Nothing drawn yet")
    expect(page.locator("#status")).to_be_empty()
    count = len(asked)
    page.reload(wait_until="networkidle")
    assert len(asked) == count


def test_undo_takes_back_strokes_and_clearing(page: Page) -> None:
    undo, clear = page.get_by_role("button", name="Undo"), page.get_by_role("button", name="Clear")
    expect(undo).to_be_disabled()
    expect(clear).to_be_disabled()
    draw(page, DIGITS[1])
    expect_answer(page, 1)
    draw(page, [[(0.2, 0.5), (0.8, 0.5)], [(0.2, 0.3), (0.8, 0.7)]])
    undo.click()
    page.keyboard.press("Control+z")
    expect_answer(page, 1)
    clear.click()
    expect(page.locator("#sentence")).to_have_text("Nothing drawn yet")
    expect(page.locator("#hint")).to_be_visible()
    undo.click()
    expect_answer(page, 1)
    page.keyboard.press("Delete")
    expect(page.locator("#hint")).to_be_visible()
    page.keyboard.press("Meta+z")
    page.keyboard.press("Control+z")
    expect(page.locator("#sentence")).to_have_text("Nothing drawn yet")
    expect(undo).to_be_disabled()


def test_a_picture_is_chosen_by_keyboard(page: Page) -> None:
    # asked for early: playwright doesn't wait until the browser knows that somebody wants its choosers
    page.on("filechooser", lambda chooser: None)
    page.keyboard.press("Tab")
    choose = page.get_by_role("button", name="Choose a picture")
    expect(choose).to_be_focused()
    assert choose.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(SEVEN)
    expect_answer(page, 7)
    expect(page.locator("#preparation")).to_have_text("Your picture as it is: 28 × 28 pixels.")
    about = ["About this model"] * page.locator("#report").is_visible()
    for name in ("The same with curl", *about, "Documentation of the service"):
        page.keyboard.press("Tab")
        expect(page.locator("footer :focus")).to_contain_text(name)


def test_a_photo_is_shown_with_a_box_round_its_ink(page: Page) -> None:
    page.set_input_files("#choose-file", [file_of(photo_of_seven())])
    expect_answer(page, 7)
    page.locator("#photo-image").evaluate("each => each.decode()")
    frame, box = page.locator("#photo-image").bounding_box(), page.locator(".box").bounding_box()
    assert frame is not None
    assert box is not None
    scale = 800 / frame["width"]
    left, top = (box["x"] - frame["x"]) * scale, (box["y"] - frame["y"]) * scale
    found = [left, top, left + box["width"] * scale, top + box["height"] * scale]
    assert found == pytest.approx([290, 140, 490, 440], abs=15)
    page.keyboard.press("Control+z")
    expect(page.locator("#photo")).to_be_hidden()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page: Page, way: str) -> None:
    transfer = transfer_of(page, SEVEN.read_bytes())
    if way == "drop":
        page.dispatch_event("#sheet", "dragover", {"dataTransfer": transfer})
        expect(page.locator("#sheet")).to_have_class(re.compile("awaiting"))
        page.dispatch_event("#sheet", "drop", {"dataTransfer": transfer})
    else:
        transfer.evaluate("each => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: each }))")
    expect_answer(page, 7)
    expect(page.locator("#photo-image")).to_be_visible()
    expect(page.locator("#sheet")).not_to_have_class(re.compile("awaiting"))


def test_it_shows_what_the_network_saw_and_which_pixels_decided(page: Page, shipped_url: str) -> None:
    page.set_input_files("#choose-file", SEVEN)
    expect_answer(page, 7)
    source = page.locator("#seen").get_attribute("src") or ""
    seen = np.asarray(Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))))
    assert (seen == np.asarray(Image.open(SEVEN))).all()
    answer = httpx.post(f"{shipped_url}/explain", content=SEVEN.read_bytes()).json()
    importances = np.array(answer["importances"])
    painted = "each => Array.from(each.getContext('2d').getImageData(0, 0, 28, 28).data)"
    for _ in waiting("the heat-map to be painted"):
        rgba = np.array(page.locator("#heat").evaluate(painted)).reshape(28, 28, 4)
        if rgba.any():
            break
    red, _, blue, alpha = rgba.transpose(2, 0, 1)
    strong = np.abs(importances) > 0.2 * np.abs(importances).max()
    assert ((blue > red) == (importances > 0))[strong].all()
    assert not alpha[seen == 0].any()
    assert page.locator(".legend").inner_text().split("\n") == [
        "spoke for 7",
        "spoke against 7",
        "ink that made no difference",
    ]


def test_each_warning_is_a_sentence(page: Page, shipped_url: str) -> None:
    picture = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(picture).line([(0, 40), (150, 40), (80, 199)], 0, 18)
    data = encode(picture)
    warnings = httpx.post(f"{shipped_url}/predict", content=data).json()["picture"]["warnings"]
    assert warnings
    page.set_input_files("#choose-file", [file_of(data)])
    expect(page.locator("#warnings li")).to_have_text(warnings)
    expect(page.locator("#status")).to_contain_text(warnings[0])


def test_of_several_digits_all_are_read_when_asked_for(page: Page, complaints: list[str]) -> None:
    page.set_input_files("#choose-file", SEVEN)
    expect_answer(page, 7)
    expect(page.locator("#read-all")).to_be_hidden()
    page.set_input_files("#choose-file", CHECKOUT / "tests" / "pictures" / "note.jpg")
    expect(page.locator("#warnings")).to_have_text("There seem to be several digits; the largest was read.")
    page.get_by_role("button", name="Read all the digits").click()
    expect(page.locator("#all-digits")).to_have_text("30174\n62895")
    expect(page.locator(".box")).to_have_count(10)
    assert axe_violations(page) == []
    page.set_input_files("#choose-file", SEVEN)
    expect_answer(page, 7)
    expect(page.locator("#all-digits")).to_be_hidden()
    expect(page.locator(".box")).to_have_count(0)  # the ink is the picture as it is
    assert complaints == []


def test_digits_that_come_when_the_sheet_is_cleared_are_not_shown(page: Page) -> None:
    held: list[Route] = []
    page.route("**/read", lambda route: held.append(route))
    page.set_input_files("#choose-file", CHECKOUT / "tests" / "pictures" / "note.jpg")
    page.get_by_role("button", name="Read all the digits").click()
    expect(page.locator("#read-all")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator("#sentence")).to_have_text("Nothing drawn yet")
    with page.expect_response("**/read") as response:
        held[0].continue_()
    assert response.value.ok
    page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 200))")
    expect(page.locator("#all-digits")).to_be_hidden()


def test_no_picture_stands_beside_the_answer_to_another(page: Page) -> None:
    page.set_input_files("#choose-file", SEVEN)
    expect_answer(page, 7)
    held: list[Route] = []
    page.route("**/explain*", lambda route: held.append(route))
    page.set_input_files("#choose-file", CHECKOUT / "tests" / "pictures" / "card.jpg")
    expect(page.locator("#sentence")).to_have_text("Reading …")
    expect(page.locator("#numeral")).to_be_empty()
    expect(page.locator("#reasons")).to_be_hidden()
    held[0].continue_()
    expect_answer(page, 5)


def test_a_problem_is_a_sentence_and_the_next_picture_is_read(page: Page, complaints: list[str]) -> None:
    page.set_input_files("#choose-file", [file_of(b"hello", "notes.txt")])
    expect(page.locator("#sentence")).to_have_text("Not a picture format that is read here")
    expect(page.locator("#detail")).to_contain_text("received 5 bytes that begin with")
    expect(page.locator("#status")).to_contain_text("Not a picture format")
    assert ["status of 415" in complaint for complaint in complaints] == [True]  # the browser's own line
    complaints.clear()
    page.keyboard.press("Escape")
    draw(page, DIGITS[0])
    expect_answer(page, 0)


def test_a_service_that_is_not_ready_is_asked_again(page: Page, complaints: list[str]) -> None:
    problem = {"title": "Not ready", "status": 503, "detail": "The model is still being loaded."}
    page.route(
        "**/explain*", lambda route: route.fulfill(status=503, json=problem, headers={"Retry-After": "1"}), times=1
    )
    page.set_input_files("#choose-file", SEVEN)
    expect(page.locator("#sentence")).to_have_text("Not ready")
    expect_answer(page, 7)
    assert len(complaints) == 1
    complaints.clear()


def test_a_model_that_cannot_be_explained_is_read_without_reasons(page: Page, complaints: list[str]) -> None:
    page.route("**/explain*", lambda route: route.fulfill(status=501, json={}))
    page.set_input_files("#choose-file", SEVEN)
    expect_answer(page, 7)
    expect(page.locator("#seen")).to_be_visible()
    expect(page.locator("#why")).to_be_hidden()
    assert len(complaints) == 1
    complaints.clear()


def test_a_service_that_is_gone_is_named(page: Page, complaints: list[str]) -> None:
    page.route("**/explain*", lambda route: route.abort("connectionrefused"))
    page.set_input_files("#choose-file", SEVEN)
    expect(page.locator("#sentence")).to_have_text("The service can’t be reached")
    expect(page.locator("#status")).to_contain_text("The service can’t be reached")
    assert len(complaints) == 1
    complaints.clear()


def test_classes_that_are_no_digits_have_their_labels(open_page: Open, tiny_url: str) -> None:
    page = open_page(tiny_url)
    page.set_input_files("#choose-file", [file_of(encode(band(3)))])
    expect(page.locator("#status")).to_have_text(re.compile("^Digit 3, "))
    expect(page.locator("#numeral")).to_have_text("digit 3")
    expect(page.locator("#bars .label")).to_have_text([f"digit {digit}" for digit in range(10)])
    expect(page.locator("#model")).to_have_text("Model tiny, version 2")


def test_the_curl_line_and_the_saved_drawing_give_the_same(open_page: Open, shipped_url: str, tmp_path: Path) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    draw(page, DIGITS[4])
    expect_answer(page, 4)
    page.get_by_text("The same with curl").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == f"curl -F file=@digit.png {shipped_url}/predict"
    with page.expect_download() as download:
        page.get_by_text("Save the drawing").click()
    download.value.save_as(tmp_path / "digit.png")
    answer = httpx.post(f"{shipped_url}/predict", files={"file": (tmp_path / "digit.png").read_bytes()}).json()
    assert answer["digit"] == 4
    page.set_input_files("#choose-file", [file_of(SEVEN.read_bytes(), "it's mine.png")])
    expect(page.locator("#curl")).to_have_text(f"curl -F file=@'it'\\''s mine.png' {shipped_url}/predict")


@pytest.mark.parametrize("look", PAGES)
def test_nothing_keeps_anyone_out(open_page: Open, complaints: list[str], look: str) -> None:
    page = open_page(**PAGES[look])
    assert axe_violations(page) == []
    draw(page, DIGITS[2])
    expect_answer(page, 2)
    page.get_by_text("The same with curl").click()
    assert axe_violations(page) == []
    page.set_input_files("#choose-file", [file_of(photo_of_seven())])
    expect_answer(page, 7)
    assert axe_violations(page) == []
    page.set_input_files("#choose-file", [file_of(b"hello")])
    expect(page.locator("#answer")).to_have_attribute("data-state", "problem")
    assert axe_violations(page) == []
    complaints.clear()


def test_a_finger_draws_on_a_phone_and_the_page_stays_where_it_is(open_page: Open) -> None:
    page = open_page(**PHONE)
    touch = page.context.new_cdp_session(page)
    points = [{"x": x, "y": y} for x, y in on_screen(page, DIGITS[7][0])]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[:1]})
    for point in points[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_answer(page, 7)
    assert page.evaluate("() => scrollY") == 0
    expect(page.locator("#sentence")).to_be_in_viewport()  # the answer is seen without scrolling
    expect(page.get_by_role("button", name="Take a photo")).to_be_visible()


@pytest.mark.parametrize("width", [320, 360, 768])
def test_on_small_screens_nothing_is_cut_off_or_too_small_for_a_finger(open_page: Open, width: int) -> None:
    page = open_page(**PHONE | {"viewport": {"width": width, "height": 640}})
    draw(page, DIGITS[8])
    expect_answer(page, 8)
    page.get_by_text("The same with curl").click()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    for target in page.locator("button:visible, a:visible, summary:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44, target.inner_text()


@pytest.mark.parametrize("width", [320, 360, 740, 1100])
def test_with_text_twice_as_large_nothing_is_cut_off(open_page: Open, complaints: list[str], width: int) -> None:
    page = open_page(viewport={"width": width, "height": 740})
    page.evaluate("() => { document.documentElement.style.fontSize = '200%' }")
    draw(page, DIGITS[8])
    expect_answer(page, 8)
    page.get_by_text("The same with curl").click()
    assert not beyond_the_edge(page)
    page.set_input_files("#choose-file", CHECKOUT / "tests" / "pictures" / "note.jpg")
    page.get_by_role("button", name="Read all the digits").click()
    expect(page.locator("#all-digits")).to_be_visible()
    assert not beyond_the_edge(page)
    page.set_input_files("#choose-file", [file_of(b"hello", "notes.txt")])
    expect(page.locator("#answer")).to_have_attribute("data-state", "problem")
    assert not beyond_the_edge(page)
    complaints.clear()


def beyond_the_edge(page: Page) -> list[str]:
    """What sticks out of the window at its right, but for the line that scrolls by itself."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *:not(pre *)")]
            .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5)
            .map((each) => each.outerHTML)"""
    )
    return found


def test_the_sheet_leaves_room_to_scroll_by(open_page: Open) -> None:
    # a finger on it draws
    page = open_page(**PHONE | {"viewport": {"width": 740, "height": 360}})
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    assert 190 < box["height"] < 330


def test_dark_mode_and_still_mode_are_heeded(open_page: Open) -> None:
    light, dark = open_page(), open_page(color_scheme="dark", reduced_motion="reduce")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert light.evaluate(ground) != dark.evaluate(ground)
    moving = "each => getComputedStyle(each).transitionDuration"
    assert light.locator(".fill").first.evaluate(moving) != "0s"
    assert dark.locator(".fill").first.evaluate(moving) == "0s"


def test_without_scripts_it_says_what_to_do_and_offers_nothing_that_does_not_work(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    expect(page.locator(".noscript")).to_contain_text("curl -F file=@picture.png")
    expect(page.locator("button:visible")).to_have_count(0)
    expect(page.locator("#sheet")).to_be_hidden()
