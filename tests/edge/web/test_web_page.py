"""The page in a real browser, against the real server: drawing, photos, the live view, tokens, and who can use it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.cameras.camera import CameraError, CameraFrame
from edge_mnist.edge.live.loop import LiveLoop
from edge_mnist.edge.live.settings import LiveSettings
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.web.live_feed import LiveFeed
from edge_mnist.edge.web.server import WebServer, start_server
from edge_mnist.edge.web.settings import WebSettings
from tests.stand_ins.chromium import (
    Page,
    browser_runtime,
    page,
    wait_until,
    with_runtime,
    without_runtime,
)
from tests.stand_ins.page_audit import audit

__all__ = ["browser_runtime", "page", "with_runtime", "without_runtime"]

TOKEN = "a-token-of-this-test"  # noqa: S105 - it guards nothing
# What Chromium itself says of such answers, whatever a page does with them.
REFUSED, NOT_FOUND = "status of 401", "status of 404"


class Drawn:
    """A camera before which a page with 471 lies, until it is unplugged."""

    description = "a drawn page, 25 frames per second"
    waits = False
    sizes_differ = False

    def __init__(self) -> None:
        self.frame = cv2.resize(draw_page(("471",), seed=3, pen=PagePen(96, 8)), (640, 480))
        self.plugged = True

    def grab(self) -> CameraFrame:
        time.sleep(0.04)
        if not self.plugged:
            raise CameraError("The camera was unplugged.")
        return CameraFrame(
            self.frame, time.monotonic(), lambda: cv2.cvtColor(self.frame, cv2.COLOR_GRAY2RGB), lambda: None
        )

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.fixture(scope="module")
def camera() -> Drawn:
    return Drawn()


@pytest.fixture(scope="module")
def server(camera: Drawn) -> Iterator[WebServer]:
    """With a camera and without a token."""

    def plug_in() -> Drawn:
        if not camera.plugged:
            raise CameraError("There is no camera.")
        return camera

    feed = LiveFeed("drawn")
    loop = LiveLoop(plug_in, "drawn", Reader(), [feed], LiveSettings(wait_for_camera=True))
    thread = threading.Thread(target=loop.run)
    started = start_server(feed, port=0)
    thread.start()
    yield started
    loop.stop()
    thread.join(10)
    started.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[WebServer]:
    """With a token and without a camera."""
    started = start_server(None, port=0, settings=WebSettings(token=TOKEN))
    yield started
    started.close()


@pytest.mark.usefixtures("with_runtime")
def test_what_is_drawn_is_read_in_this_browser(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/draw")
    page.wait_for_text("reader-note", "Drawings do not leave this page")

    page.draw("7", 60, 60)

    page.wait_for_rows("draw-rows", "7")
    assert "in this browser" in page.text("draw-note")
    page.draw("4", 200, 70)
    page.draw("5", 330, 50)
    page.draw("2", 80, 250)
    page.wait_for_rows("draw-rows", "745", "2")
    assert len(page.find("draw-digits").find_elements("class name", "seen")) == 4
    assert _count_painted(page, "pad-boxes") > 100


@pytest.mark.usefixtures("without_runtime")
def test_without_onnxruntime_web_the_server_reads_drawings(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/draw")
    page.wait_for_text("reader-note", "The server has no onnxruntime-web")

    page.draw("3", 60, 60)

    page.wait_for_rows("draw-rows", "3")
    assert "by the server" in page.text("draw-note")
    Select(page.find("reader")).select_by_visible_text("onnxruntime, float32")
    page.draw("6", 200, 60)
    page.wait_for_rows("draw-rows", "36")


@pytest.mark.usefixtures("without_runtime")
def test_strokes_are_taken_back(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/draw")
    page.draw("2", 60, 60)
    page.draw("1", 240, 60)
    page.wait_for_rows("draw-rows", "21")

    page.find("undo").click()
    page.wait_for_rows("draw-rows", "2")
    page.find("clear").click()
    page.wait_for_rows("draw-rows", "Nothing yet")
    page.press("z", control=True)

    page.wait_for_rows("draw-rows", "2")
    assert page.find("clear").is_enabled()


def test_a_dropped_photo_is_read_and_a_large_one_is_made_smaller_first(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/draw")
    photo = draw_page(("2048", "17"), seed=1)
    large = cv2.resize(photo, None, fx=3000 / photo.shape[1], fy=3000 / photo.shape[1])

    page.drop(_encode(photo), "image/png")
    page.wait_for_rows("photo-rows", "2048", "17")
    assert _count_painted(page, "photo-boxes") > 100
    assert f"{photo.shape[1]} by {photo.shape[0]} pixels" in page.text("photo-note")
    page.drop(_encode(large), "image/png")

    page.wait_for_text("photo-note", "2048 by ")
    page.wait_for_rows("photo-rows", "2048", "17")


@pytest.mark.parametrize("side", [800, 3000], ids=["sent as it is", "made smaller"])
def test_light_ink_on_a_transparent_ground_is_read(page: Page, server: WebServer, side: int) -> None:
    page.open(f"{server.url}#/photo")
    paper = draw_page(("2048", "17"), seed=1)
    paper = cv2.resize(paper, None, fx=side / paper.shape[1], fy=side / paper.shape[1])
    white = np.dstack([np.full_like(paper, 255)] * 3 + [255 - paper])

    page.drop(_encode(white), "image/png")

    page.wait_for_rows("photo-rows", "2048", "17")
    assert "transparent" in (page.find("photo-picture").get_attribute("class") or "")


@pytest.mark.usefixtures("without_runtime")
def test_a_lone_one_on_the_pad_is_taken_for_a_digit(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/draw")

    page.draw("1", 120, 60)

    page.wait_for_rows("draw-rows", "1")
    assert not page.find("draw-digits").find_elements("class name", "unsure")
    assert "assuming that you drew one" in page.find("draw").text


def test_a_chosen_file_is_read_and_what_is_no_picture_is_refused_in_words(
    page: Page, server: WebServer, tmp_path: Path
) -> None:
    page.open(f"{server.url}#/photo")
    (tmp_path / "page.png").write_bytes(_encode(draw_page(("31",), seed=2)))
    (tmp_path / "page.txt").write_text("31")

    page.find("photo-file").send_keys(str(tmp_path / "page.png"))
    page.wait_for_rows("photo-rows", "31")
    page.find("photo-file").send_keys(str(tmp_path / "page.txt"))

    page.wait_for_text("photo-note", "This file is not a picture that this browser can open.")
    # Nothing of the one before is left.
    assert [_count_painted(page, canvas) for canvas in ("photo-picture", "photo-boxes")] == [0, 0]
    assert page.find("photo-hint").is_displayed()


def test_a_heic_picture_that_the_browser_cannot_show_is_read_by_the_server(
    page: Page, server: WebServer, tmp_path: Path
) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    picture = Image.fromarray(draw_page(("83",), seed=1, pen=PagePen(96, 8)))
    heif.from_pillow(picture).save(tmp_path / "IMG_1.HEIC", quality=90)
    page.open(f"{server.url}#/photo")

    page.find("photo-file").send_keys(str(tmp_path / "IMG_1.HEIC"))

    page.wait_for_rows("photo-rows", "83")
    assert "This browser cannot show HEIC pictures." in page.text("photo-note")
    assert _count_painted(page, "photo-boxes") > 100


def test_the_live_view_follows_the_camera_while_somebody_looks(page: Page, server: WebServer, camera: Drawn) -> None:
    page.open(f"{server.url}#/live")

    page.wait_for_rows("live-rows", "471")
    page.wait_for_text("live-state", "Camera open")
    wait_until(lambda: _count_painted(page, "live-boxes") > 100, lambda: "no boxes are drawn")
    wait_until(lambda: len(page.text("live-times").splitlines()) == 14, lambda: page.text("live-times"))
    assert not page.find("live-words").is_displayed()
    camera.plugged = False
    page.wait_for_text("live-state", "Camera lost")
    page.wait_for_rows("live-rows", "Nothing to read")
    camera.plugged = True
    page.wait_for_text("live-state", "Camera open")
    page.find("tab-draw").click()
    wait_until(lambda: server.service.watchers.used == 0, lambda: "the page goes on asking, and nobody looks")


def test_a_server_without_a_camera_says_so_and_is_not_asked_for_it(page: Page, guarded: WebServer) -> None:
    page.open(f"{guarded.url}#token={TOKEN}")
    page.wait_for_text("draw-rows", "Nothing yet")

    page.find("tab-live").click()

    page.wait_for_text("live-words", "This server has no camera")


def test_a_missing_report_is_told_in_words_that_can_be_dismissed(page: Page, server: WebServer) -> None:
    page.expected.append(NOT_FOUND)
    page.open(f"{server.url}#/draw")

    page.find("report").click()
    page.wait_for_text("notice-words", "There is no report here")
    page.find("dismiss").click()

    assert not page.find("notice").is_displayed()


def test_a_token_is_asked_for_refused_and_accepted(page: Page, guarded: WebServer) -> None:
    page.expected.append(REFUSED)
    page.open(guarded.url)
    wait_until(page.find("token").is_displayed, lambda: "no token is asked for")

    page.find("token").send_keys("not-this-one-surely", Keys.ENTER)
    page.wait_for_text("token-refused", "refused")
    page.find("token").send_keys(TOKEN, Keys.ENTER)

    wait_until(lambda: len(Select(page.find("reader")).options) > 1, lambda: "the token was not taken")
    assert not page.find("token-dialog").is_displayed()
    page.draw("8", 60, 60)
    page.wait_for_rows("draw-rows", "8")


def test_a_token_in_the_address_leaves_it_at_once_and_holds_for_the_tab(page: Page, guarded: WebServer) -> None:
    page.open(f"{guarded.url}#token={TOKEN}")

    wait_until(lambda: len(Select(page.find("reader")).options) > 1, lambda: "the token was not taken")
    assert TOKEN not in page.driver.current_url
    page.driver.refresh()
    wait_until(lambda: len(Select(page.find("reader")).options) > 1, lambda: "the token was not kept")
    assert not page.find("token-dialog").is_displayed()


def test_whoever_gives_no_token_is_told_and_may_try_again(page: Page, guarded: WebServer) -> None:
    page.expected.append(REFUSED)
    page.open(guarded.url)
    wait_until(page.find("token").is_displayed, lambda: "no token is asked for")

    page.press(Keys.ESCAPE)
    page.wait_for_text("notice-words", "Enter the token that the server printed when it started.")
    assert page.text("reader") == "No token yet"
    page.find("again").click()

    wait_until(page.find("token").is_displayed, lambda: "it is not asked for again")


def test_a_server_that_comes_back_is_used_again(page: Page) -> None:
    page.expected += ["net::ERR", "status of 503"]
    first = start_server(None, port=0)
    page.open(first.url)
    page.draw("0", 60, 60)
    page.wait_for_rows("draw-rows", "0")

    first.close()
    page.draw("9", 220, 60)
    page.wait_for_text("notice", "The server does not answer. Trying again…")
    second = start_server(None, port=first.port)

    try:
        page.wait_for_rows("draw-rows", "09")
        assert not page.find("notice").is_displayed()
    finally:
        page.driver.get("about:blank")
        second.close()


@pytest.mark.usefixtures("without_runtime")
def test_keys_alone_are_enough_to_draw_and_to_go_about(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/draw")
    page.wait_for_text("reader-note", "reads drawings itself")

    page.press(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to the digits"
    page.press(Keys.ENTER, Keys.TAB)
    assert page.driver.switch_to.active_element.get_attribute("id") == "pad"
    page.press(" ", *[Keys.ARROW_DOWN] * 20, " ")
    page.wait_for_rows("draw-rows", "1")
    page.press(Keys.BACKSPACE)
    page.wait_for_rows("draw-rows", "Nothing yet")
    page.find("tab-draw").send_keys(Keys.ARROW_RIGHT)

    assert page.driver.switch_to.active_element.get_attribute("id") == "tab-photo"
    assert page.find("photo").is_displayed()
    assert not page.find("draw").is_displayed()


@pytest.mark.usefixtures("with_runtime")
@pytest.mark.parametrize("width", [360, 320])
def test_a_phone_needs_no_sideways_scrolling(page: Page, server: WebServer, width: int) -> None:
    page.show(width, 740, touch=True)
    page.open(f"{server.url}#/draw")
    page.wait_for_text("reader-note", "Drawings do not leave this page")

    page.draw("5", 40, 60, height=90)
    page.draw("6", 150, 60, height=90)
    page.wait_for_rows("draw-rows", "56")

    for part in ("draw", "photo", "camera", "live"):
        page.find(f"tab-{part}").click()
        assert page.driver.execute_script("return document.documentElement.scrollWidth") == width, part
    small = (
        "return [...document.querySelectorAll('button, select')].filter((e) => e.offsetHeight && e.offsetHeight < 44)"
    )
    assert page.driver.execute_script(small) == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_every_part_passes_the_audit(page: Page, server: WebServer, width: int, scheme: str) -> None:
    page.show(width, 900, scheme, touch=width < 800)
    page.open(f"{server.url}#/draw")
    page.draw("4", 60, 60)
    page.wait_for_text("draw-note", "Read")
    page.find("tab-photo").click()
    page.drop(_encode(draw_page(("83",), seed=1, pen=PagePen(96, 8))), "image/png")
    page.wait_for_rows("photo-rows", "83")
    found = {}

    for part in ("draw", "photo", "camera", "live"):
        page.find(f"tab-{part}").click()
        found[part] = audit(page)

    background = page.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(part) for part in background[4:-1].split(",")])
    assert (brightness > 128) == (scheme == "light")
    assert {part: wrong for part, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_request_for_a_token_passes_the_audit(page: Page, guarded: WebServer, scheme: str) -> None:
    page.expected.append(REFUSED)
    page.show(390, 844, scheme)
    page.open(guarded.url)
    wait_until(page.find("token").is_displayed, lambda: "no token is asked for")
    assert audit(page) == set()

    page.press(Keys.ESCAPE)

    page.wait_for_text("notice-words", "Enter the token")
    assert audit(page) == set()


def _encode(gray: np.ndarray) -> bytes:
    return cv2.imencode(".png", gray)[1].tobytes()


def _count_painted(page: Page, canvas: str) -> int:
    """Pixels of a canvas that are not transparent."""
    return page.driver.execute_script(
        "const canvas = document.getElementById(arguments[0]); const {width, height} = canvas;"
        "const bytes = canvas.getContext('2d').getImageData(0, 0, width, height).data;"
        "return bytes.filter((value, i) => i % 4 === 3 && value > 0).length",
        canvas,
    )
