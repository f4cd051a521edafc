"""Debian's Chromium, driven by playwright; digits as strokes of a mouse; axe-core."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from math import cos, pi, sin
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "The page was not tested, for there is no browser: install one (Debian: apt-get install chromium), "
    "or name it, as in: CHROMIUM=/path/to/chrome make test"
)
FLAGS = [
    "--no-sandbox",  # Chromium refuses to run as root with its sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # 64 MB in a container
    # every name but this machine's fails at once, so that a page that asks elsewhere shows
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 860}}
DARK = DESKTOP | {"color_scheme": "dark"}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
PAGES = {"light": DESKTOP, "dark": DARK, "phone": PHONE, "dark phone": PHONE | {"color_scheme": "dark"}}

Open = Callable[..., Page]
Point = tuple[float, float]
Stroke = list[Point]


def arc(x: float, y: float, width: float, height: float, start: int, end: int) -> Stroke:
    """A part of an ellipse round (x, y), from one angle to another, in degrees: 0 is right, 90 is down."""
    angles = [pi * (start + (end - start) * step / 24) / 180 for step in range(25)]
    return [(x + width / 2 * cos(angle), y + height / 2 * sin(angle)) for angle in angles]


# Each digit as people draw it, in fractions of the sheet.
DIGITS: dict[int, list[Stroke]] = {
    0: [arc(0.5, 0.5, 0.42, 0.66, -90, 270)],
    1: [[(0.52, 0.16), (0.49, 0.84)]],
    2: [[*arc(0.49, 0.33, 0.36, 0.3, 190, 380), (0.3, 0.82)], [(0.3, 0.82), (0.72, 0.81)]],
    3: [arc(0.47, 0.33, 0.36, 0.32, 200, 450), arc(0.47, 0.66, 0.42, 0.35, -90, 155)],
    4: [[(0.33, 0.17), (0.28, 0.52), (0.68, 0.5)], [(0.66, 0.2), (0.61, 0.85)]],
    5: [[(0.68, 0.17), (0.38, 0.18), (0.35, 0.46)], [(0.35, 0.46), *arc(0.46, 0.63, 0.42, 0.38, -100, 140)]],
    6: [[(0.6, 0.14), (0.42, 0.34), *arc(0.49, 0.66, 0.34, 0.34, 190, 545)]],
    7: [[(0.29, 0.2), (0.7, 0.19), (0.44, 0.85)]],
    8: [
        [
            *arc(0.5, 0.34, 0.3, 0.3, -60, -270),
            *arc(0.5, 0.66, 0.36, 0.34, -90, 270),
            *arc(0.5, 0.34, 0.3, 0.3, 90, -60),
        ]
    ],
    9: [[*arc(0.48, 0.35, 0.34, 0.32, -20, -340), (0.64, 0.42), (0.6, 0.86)]],
}


def find_browser() -> str | None:
    """The path of a Chromium, or None: $CHROMIUM, or the first of the usual names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)


@contextmanager
def running_browser(path: str) -> Iterator[Browser]:
    """A browser without a window. While it runs, `asyncio.run` can't be used: playwright has a loop of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opening(browser: Browser, home: str, complaints: list[str]) -> Iterator[Open]:
    """Opens a page (`home`, if no other is named) in a window of its own; `options` are playwright's. What the
    console, or a request to elsewhere, has to complain of is added to `complaints`.
    """
    contexts = []

    def open_page(url: str = home, complaints: list[str] = complaints, **options: Any) -> Page:
        context = browser.new_context(**(DESKTOP | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(elsewhere(request.url, url)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()


def elsewhere(asked: str, url: str) -> list[str]:
    ours = asked == url or asked.startswith((url + "/", "blob:", "data:"))
    return [] if ours else [f"a request to {asked}"]


def draw(page: Page, strokes: list[Stroke]) -> None:
    """Draws with the mouse on the page's sheet."""
    for stroke in strokes:
        points = on_screen(page, stroke)
        page.mouse.move(*points[0])
        page.mouse.down()
        for x, y in points[1:]:
            page.mouse.move(x, y, steps=2)
        page.mouse.up()


def on_screen(page: Page, stroke: Stroke) -> Stroke:
    """Where the stroke's points are, in pixels of the window."""
    page.locator("#drawing").scroll_into_view_if_needed()
    box = page.locator("#drawing").bounding_box()
    assert box is not None
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds wrong, by all of its rules: the rule, and where."""
    # not as a script of the page, whose Content-Security-Policy forbids it
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("() => axe.run(document)")
    assert len(result["passes"]) > 10
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in result["violations"]]
