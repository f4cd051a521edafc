"""python -m tests.picture_of_page: writes docs/page.png, README's picture of the page."""

import re
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect

from app.settings import Settings
from tests.browsing import DIGITS, MISSING, draw, find_browser, running_browser
from tests.conftest import serving
from tests.support import CHECKOUT, SHIPPED_VERSION

PICTURE = CHECKOUT / "docs" / "page.png"
MAX_BYTES = 200_000  # README is read on telephones, too


def main() -> None:
    path = find_browser()
    if path is None:
        raise SystemExit(MISSING)
    with serving(Settings(model_version=SHIPPED_VERSION)) as url, running_browser(path) as browser:
        save(take(browser, url), PICTURE)
    print(f"{PICTURE.relative_to(CHECKOUT)}: {PICTURE.stat().st_size} bytes")


def take(browser: Browser, url: str) -> bytes:
    """The page with a drawn digit and its answer, as PNG."""
    page = browser.new_page(viewport={"width": 1100, "height": 1050}, device_scale_factor=1.5)
    page.goto(url)
    draw(page, DIGITS[3])
    expect(page.locator("#status")).to_have_text(re.compile("^Three"))
    page.mouse.move(0, 0)
    return page.screenshot(animations="disabled")


def save(data: bytes, path: Path) -> None:
    """Writes the picture `data` to `path`, packed well."""
    path.parent.mkdir(exist_ok=True)
    Image.open(BytesIO(data)).convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    main()
