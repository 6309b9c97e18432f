"""Photograph the page of `edge-mnist serve` in Chromium, for the README and the documentation.

python -m docs.draw_screenshots   # needs the extra dev, and: apt install chromium chromium-driver

`page-live.webp`: the page watching a camera, here a folder with a scene.
`page-photo-dark.webp`: a photo, in dark colours.
`page-draw-phone.webp`: drawing on a phone, 390 pixels wide.
"""

import os
import re
import shutil
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from selenium import webdriver

from edge_mnist.benchmarks.photos.labels import SHIPPED_PHOTOS
from tests.stand_ins.chromium import SWITCHES, Page, wait_until
from tests.stand_ins.web_server import serving_process

FOLDER = Path(__file__).resolve().parent / "pictures"
WATCHED = "plain"
PHOTO = "brown-paper"
DRAWN = "274"
WIDE = 1160, 760
PHONE = 390, 844
# Rates and times of the live page are means over the first seconds.
SETTLED_S = 6.0
# The boxes of a drawing are those of its last reading.
DRAWN_S = 2.0
PATIENCE_S = 60.0


def open_browser(profile: Path) -> webdriver.Chrome:
    """Start Debian's Chromium without a window; it reaches this machine only."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        raise SystemExit("Chromium is missing: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for switch in (*SWITCHES, "--hide-scrollbars", f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


def find_scene(name: str) -> Path:
    """Return the shipped scene of a condition."""
    return next(SHIPPED_PHOTOS.glob(f"{name}-*.jpg"))


def save(page: Page, name: str) -> None:
    """Write what the window shows."""
    Image.open(BytesIO(page.driver.get_screenshot_as_png())).save(FOLDER / name, quality=85, method=6)


def wait_for_reading(page: Page, rows: str) -> None:
    """Wait until the page shows digits."""
    wait_until(
        lambda: re.match(r"\d", page.text(rows)) is not None, lambda: f"{rows} shows {page.text(rows)!r}", PATIENCE_S
    )


def photograph_live(page: Page, url: str) -> None:
    """Show the camera's picture with its digits, rates and times."""
    page.show(*WIDE)
    page.open(url)
    page.find("tab-live").click()
    wait_for_reading(page, "live-rows")
    time.sleep(SETTLED_S)
    save(page, "page-live.webp")


def photograph_photo(page: Page, url: str) -> None:
    """Show a photo and what was read in it."""
    page.show(*WIDE, scheme="dark")
    page.open(url)
    page.find("tab-photo").click()
    page.find("photo-file").send_keys(str(find_scene(PHOTO)))
    wait_for_reading(page, "photo-rows")
    save(page, "page-photo-dark.webp")


def photograph_drawing(page: Page, url: str) -> None:
    """Draw three digits on a phone."""
    page.show(*PHONE)
    page.open(url)
    page.find("tab-draw").click()
    for place, digit in enumerate(DRAWN):
        page.draw(digit, 30 + 105 * place, 70, height=130)
    wait_until(lambda: page.text("draw-rows") == DRAWN, lambda: page.text("draw-rows"), PATIENCE_S)
    time.sleep(DRAWN_S)
    save(page, "page-draw-phone.webp")


def main() -> None:
    """Photograph the page in three states."""
    with tempfile.TemporaryDirectory() as scratch:
        # The page shows the camera as it was named.
        os.chdir(scratch)
        Path("desk").mkdir()
        shutil.copy(find_scene(WATCHED), "desk")
        driver = open_browser(Path(scratch) / "profile")
        try:
            with serving_process("--camera", "desk", "--loop", "--fps", "5") as (_, server):
                page = Page(driver)
                photograph_live(page, server.url)
                photograph_photo(page, server.url)
                photograph_drawing(page, server.url)
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
