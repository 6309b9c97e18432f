"""The page in a real browser when things change under it: what reads, what is shown, and the server itself."""

from collections.abc import Iterator

import cv2
import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.edge.web.server import WebServer, start_server
from edge_mnist.edge.web.settings import WebSettings
from tests.stand_ins.chromium import Page, browser_runtime, page, wait_until, with_runtime, without_runtime

__all__ = ["browser_runtime", "page", "with_runtime", "without_runtime"]

HERE, THERE = "This browser, int8", "onnxruntime, float32"
# As long as what must not happen may take: a read comes 60 ms after what it is of, and takes a few.
QUIET_MS = 400

# Before the page's own scripts: what is held arrives when a test lets it, and workers and bitmaps are counted.
INSTRUMENTS = """
const send = window.fetch;
let [held, arrives] = [null, Promise.resolve(200)];
window.hold = (path) => { held = path; arrives = new Promise((resolve) => (window.release = resolve)); };
window.fetch = async (path, options) => {
  const status = held !== null && path.startsWith(held) ? await arrives : 200;
  return status === 200 ? send(path, options) : new Response('{"error": "The file is gone."}', {status});
};
window.running = 0;
window.Worker = class extends Worker {
  constructor(...given) { super(...given); window.running++; }
  terminate() { super.terminate(); window.running--; }
};
window.bitmaps = [];
const decode = window.createImageBitmap;
window.createImageBitmap = async (...given) => {
  const bitmap = await decode(...given);
  window.bitmaps.push(bitmap);
  return bitmap;
};
"""

# What the live part shows of a reading for whose frame the camera was waited a tenth of a second: each stage's name and
# how much of the room its bar takes.
SHOW_STAGES = """
const { showReading } = await import("/static/live_view.js");
const rates = { camera_fps: 10, read_fps: 10, skipped: 18 };
showReading({ announced: ["4"], timing_ms: { capture: 100, find: 4, infer: 1 }, rates, latency_ms: 9 });
return [...document.querySelectorAll("#live-times .time")].map((time) => [
  time.querySelector(".stage").textContent,
  time.querySelector(".bar .fill")?.style.transform ?? null,
]);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    """Without a token and without a camera."""
    started = start_server(None, port=0)
    yield started
    started.close()


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    """The page with its instruments."""
    script = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": INSTRUMENTS})
    yield page
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.usefixtures("with_runtime")
@pytest.mark.parametrize("status", [200, 404], ids=["loads", "fails"])
def test_a_model_that_comes_late_does_not_replace_what_was_chosen_since(
    watched: Page, server: WebServer, status: int
) -> None:
    watched.open(server.url)
    watched.wait_for_text("reader-note", "Drawings do not leave this page")
    _choose(watched, "litert, int8")
    watched.driver.execute_script("hold('model/int8.onnx')")
    _choose(watched, HERE)
    watched.wait_for_text("reader-note", "Loading the model")

    _choose(watched, THERE)
    watched.driver.execute_script("release(arguments[0])", status)
    _wait_in_page(watched, "navigator.userAgent")
    watched.draw("7", 60, 60)

    watched.wait_for_rows("draw-rows", "7")
    assert "by the server" in watched.text("draw-note")
    assert watched.text("reader-note") == ""
    assert Select(watched.find("reader")).first_selected_option.text == THERE
    wait_until(lambda: _count_workers(watched) == 0, lambda: "the late one is still there")


@pytest.mark.usefixtures("with_runtime")
def test_the_model_in_the_page_goes_when_another_one_reads(watched: Page, server: WebServer) -> None:
    watched.open(server.url)

    for _ in range(2):
        watched.wait_for_text("reader-note", "Drawings do not leave this page")
        assert _count_workers(watched) == 1
        _choose(watched, THERE)
        wait_until(lambda: _count_workers(watched) == 0, lambda: "it is still there")
        _choose(watched, HERE)

    watched.wait_for_text("reader-note", "Drawings do not leave this page")
    watched.draw("4", 60, 60)
    watched.wait_for_rows("draw-rows", "4")


@pytest.mark.usefixtures("without_runtime")
def test_a_server_that_comes_back_with_other_models_is_asked_for_those(page: Page) -> None:
    # A read that was on its way asks the new server for what the old one had.
    page.expected += ["net::ERR", "status of 400", "status of 503"]
    first = start_server(None, port=0, settings=WebSettings(runtimes=("litert",)))
    page.open(first.url)
    page.wait_for_text("reader-note", "reads drawings itself")
    _choose(page, "litert, float32")

    first.close()
    page.draw("9", 60, 60)
    page.wait_for_text("notice", "The server does not answer. Trying again…")
    second = start_server(None, port=first.port, settings=WebSettings(runtimes=("onnxruntime",)))

    try:
        page.wait_for_rows("draw-rows", "9")
        options = [option.text for option in Select(page.find("reader")).options]
        assert options == ["onnxruntime, int8", "onnxruntime, float32"]
    finally:
        page.driver.get("about:blank")
        second.close()


@pytest.mark.usefixtures("without_runtime")
def test_a_server_that_comes_back_with_more_models_goes_on_with_the_one_chosen(page: Page) -> None:
    page.expected += ["net::ERR", "status of 503"]
    first = start_server(None, port=0, settings=WebSettings(runtimes=("onnxruntime",)))
    page.open(first.url)
    page.wait_for_text("reader-note", "reads drawings itself")
    _choose(page, THERE)

    first.close()
    page.draw("3", 60, 60)
    page.wait_for_text("notice", "The server does not answer. Trying again…")
    second = start_server(None, port=first.port, settings=WebSettings(runtimes=("litert", "onnxruntime")))

    try:
        page.wait_for_rows("draw-rows", "3")
        chooser = Select(page.find("reader"))
        assert len(chooser.options) == 4
        assert chooser.first_selected_option.text == THERE
    finally:
        page.driver.get("about:blank")
        second.close()


@pytest.mark.usefixtures("without_runtime")
@pytest.mark.parametrize("leave", ["tab", "tab and reader"])
def test_a_drawing_that_is_not_shown_keeps_its_reading(page: Page, server: WebServer, leave: str) -> None:
    page.open(server.url)
    page.draw("6", 60, 60)
    page.wait_for_rows("draw-rows", "6")
    page.driver.execute_script(
        "window.said = []; const rows = document.getElementById('draw-rows');"
        "new MutationObserver(() => said.push(rows.textContent)).observe(rows, {childList: true, subtree: true})"
    )

    page.find("tab-photo").click()
    if "reader" in leave:
        _choose(page, THERE)
    _wait_in_page(page, "said.length")
    page.find("tab-draw").click()

    assert _wait_in_page(page, "said") == []
    page.wait_for_rows("draw-rows", "6")


def test_a_photo_that_was_replaced_is_let_go_of(watched: Page, server: WebServer) -> None:
    watched.open(server.url)
    for row in ("20", "17"):
        watched.drop(cv2.imencode(".png", draw_page((row,), seed=1))[1].tobytes(), "image/png")
        watched.wait_for_rows("photo-rows", row)

    # One that is closed has no size.
    held = watched.driver.execute_script("return bitmaps.map((bitmap) => bitmap.width > 0)")

    assert held == [False, True]


def test_a_reading_that_comes_late_is_not_shown_for_what_was_refused_since(watched: Page, server: WebServer) -> None:
    watched.open(server.url)
    watched.driver.execute_script("hold('v1/read')")
    watched.drop(cv2.imencode(".png", draw_page(("17",), seed=1))[1].tobytes(), "image/png")
    watched.wait_for_text("photo-note", "Reading")

    watched.drop(b"17", "text/plain")
    watched.wait_for_text("photo-note", "not a picture")
    watched.driver.execute_script("release(200)")

    assert _wait_in_page(watched, "document.getElementById('photo-rows').textContent") == "Not read"
    assert "not a picture" in watched.text("photo-note")


def test_an_address_whose_token_is_none_asks_for_one(page: Page) -> None:
    page.expected.append("status of 401")
    guarded = start_server(None, port=0, settings=WebSettings(token="a-token-of-this-test"))  # noqa: S106
    try:
        page.open(f"{guarded.url}#token=%zz")

        wait_until(page.find("token").is_displayed, lambda: "no token is asked for")
        page.find("token").send_keys("a-token-of-this-test", Keys.ENTER)
        page.wait_for_text("draw-rows", "Nothing yet")
    finally:
        page.driver.get("about:blank")
        guarded.close()


def test_a_token_that_is_given_late_is_used_by_the_whole_page(page: Page) -> None:
    page.expected.append("status of 401")
    guarded = start_server(None, port=0, settings=WebSettings(token="a-token-of-this-test"))  # noqa: S106
    try:
        page.open(guarded.url)
        wait_until(page.find("token").is_displayed, lambda: "no token is asked for")
        page.press(Keys.ESCAPE)
        page.wait_for_text("reader", "No token yet")

        page.drop(cv2.imencode(".png", draw_page(("17",), seed=1))[1].tobytes(), "image/png")
        wait_until(page.find("token").is_displayed, lambda: "it is not asked for again")
        page.find("token").send_keys("a-token-of-this-test", Keys.ENTER)

        page.wait_for_rows("photo-rows", "17")
        wait_until(lambda: len(Select(page.find("reader")).options) > 1, lambda: page.text("reader"))
        assert not page.find("notice").is_displayed()
    finally:
        page.driver.get("about:blank")
        guarded.close()


@pytest.mark.usefixtures("without_runtime")
def test_what_appears_appears_within_a_status_that_is_always_there(page: Page, server: WebServer) -> None:
    page.open(server.url)
    page.wait_for_text("reader-note", "reads drawings itself")
    hidden = "return [...document.querySelectorAll('[role=status]')].filter((e) => e.closest('[hidden]') === e).length"
    around = "return document.getElementById(arguments[0]).closest('[role=status]:not([hidden])') !== null"

    assert page.driver.execute_script(hidden) == 0
    assert page.driver.execute_script(around, "notice")
    assert page.driver.execute_script(around, "live-words")


def test_keys_reach_the_live_part_which_has_nothing_to_operate(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/live")
    page.wait_for_text("live-words", "This server has no camera")

    page.find("tab-live").send_keys(Keys.TAB)

    assert page.driver.switch_to.active_element.get_attribute("id") == "live"


def test_waiting_for_the_camera_does_not_dwarf_the_work(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/live")
    page.wait_for_text("live-words", "This server has no camera")

    stages = dict(page.run(SHOW_STAGES))

    assert stages == {"capture": None, "find": "scaleX(1)", "infer": "scaleX(0.25)"}
    assert page.text("live-times").splitlines()[:2] == ["capture", "100 ms"]
    assert "18 frames" in page.text("live")


def _choose(page: Page, label: str) -> None:
    chooser = Select(page.find("reader"))
    wait_until(lambda: label in [option.text for option in chooser.options], lambda: f"{label} is not offered")
    chooser.select_by_visible_text(label)


def _count_workers(page: Page) -> int:
    return page.driver.execute_script("return running")


def _wait_in_page(page: Page, expression: str) -> object:
    """Of an expression in the page, the value once nothing more is to be expected."""
    return page.run(f"await new Promise((resolve) => setTimeout(resolve, {QUIET_MS})); return {expression};")
