"""The visitor's own camera in the page: read in the page or by the server, off when nobody looks, refused in words."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from edge_mnist.edge.web.server import WebServer, start_server
from edge_mnist.edge.web.settings import WebSettings
from tests.stand_ins.chromium import (
    CAMERA_ROWS,
    Page,
    browser_runtime,
    page,
    wait_until,
    with_runtime,
    without_runtime,
)

__all__ = ["browser_runtime", "page", "with_runtime", "without_runtime"]

# Whether the camera's light is on: tracks that the page ever opened, and that still run.
KEEP_TRACKS = """
window.tracks = [];
const media = navigator.mediaDevices;
const open = media.getUserMedia.bind(media);
media.getUserMedia = async (asked) => {
  window.asked = asked;
  const stream = await open(asked);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""
RUNNING = "return window.tracks.filter((track) => track.readyState === 'live').length"


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    """Without a token and without a camera of its own."""
    started = start_server(None, port=0)
    yield started
    started.close()


@pytest.fixture
def camera_page(page: Page, server: WebServer) -> Iterator[Page]:
    """The part for the camera, which the browser lends."""
    _allow(page, server.url, "granted")
    _open(page, server.url)
    yield page
    page.driver.execute_cdp_cmd("Browser.resetPermissions", {})


def _allow(page: Page, url: str, setting: str) -> None:
    permission = {"permission": {"name": "camera"}, "setting": setting, "origin": url.rstrip("/")}
    page.driver.execute_cdp_cmd("Browser.setPermission", permission)


def _open(page: Page, url: str) -> None:
    page.open(f"{url}#/camera")
    page.driver.execute_script(KEEP_TRACKS)


def _running(page: Page) -> int:
    return page.driver.execute_script(RUNNING)


def _wait_until_off(page: Page) -> None:
    wait_until(lambda: _running(page) == 0, lambda: f"{_running(page)} tracks of the camera still run")


@pytest.mark.usefixtures("with_runtime")
def test_digits_before_the_camera_are_read_in_the_page(camera_page: Page) -> None:
    assert camera_page.text("camera-words") == "The camera is off"

    camera_page.find("camera-button").click()

    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)
    camera_page.wait_for_text("camera-note", "The video does not leave this page. Read in ")
    assert camera_page.driver.execute_script("return window.asked.video.facingMode") == {"ideal": "environment"}
    assert camera_page.driver.execute_script("return window.asked.audio") is False
    assert not any(entry for entry in _requests(camera_page) if "/v1/read" in entry)


def _requests(page: Page) -> list[str]:
    return page.driver.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")


@pytest.mark.usefixtures("without_runtime")
def test_without_onnxruntime_web_the_server_reads_a_frame_at_a_time(camera_page: Page) -> None:
    camera_page.find("camera-button").click()

    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)

    camera_page.wait_for_text("camera-note", "Each frame is sent to the server. Read in ")
    spans = camera_page.driver.execute_script(
        "return performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/v1/read'))"
        ".map((entry) => [entry.startTime, entry.responseEnd])"
    )
    assert len(spans) >= 2
    for (begun, ended), (next_begun, _) in pairwise(spans):
        assert next_begun >= ended
        assert next_begun - begun >= 100


@pytest.mark.usefixtures("with_runtime")
def test_the_camera_is_off_when_it_is_stopped_or_not_looked_at(camera_page: Page) -> None:
    camera_page.find("camera-button").click()
    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)
    assert _running(camera_page) == 1

    camera_page.find("tab-draw").click()
    _wait_until_off(camera_page)
    camera_page.find("tab-camera").click()
    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)
    camera_page.driver.execute_script(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    _wait_until_off(camera_page)
    camera_page.driver.execute_script("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)
    camera_page.find("camera-button").click()

    _wait_until_off(camera_page)
    assert camera_page.text("camera-words") == "The camera is off"
    assert camera_page.text("camera-rows") == "Nothing yet"


@pytest.mark.usefixtures("without_runtime")
def test_of_several_cameras_another_one_can_be_chosen(camera_page: Page) -> None:
    assert not camera_page.find("camera-choice").is_displayed()
    # Chromium's file is one camera: another one is listed, and shows the same.
    camera_page.driver.execute_script(
        "const media = navigator.mediaDevices; const list = media.enumerateDevices.bind(media);"
        "const open = media.getUserMedia;"
        "media.enumerateDevices = async () =>"
        "  [...(await list()), {kind: 'videoinput', label: 'Another one', deviceId: 'other'}];"
        "media.getUserMedia = async (asked) => {"
        "  window.chosen = asked.video.deviceId; return open({...asked, video: true}) }"
    )
    camera_page.find("camera-button").click()
    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)

    Select(camera_page.find("camera-device")).select_by_visible_text("Another one")

    wait_until(
        lambda: camera_page.driver.execute_script("return window.chosen") == {"exact": "other"},
        lambda: "the other camera is not opened",
    )
    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)
    assert _running(camera_page) == 1


@pytest.mark.usefixtures("without_runtime")
def test_a_camera_that_is_unplugged_is_reported(camera_page: Page) -> None:
    camera_page.find("camera-button").click()
    camera_page.wait_for_rows("camera-rows", *CAMERA_ROWS)

    camera_page.driver.execute_script("window.tracks.at(-1).dispatchEvent(new Event('ended'))")

    camera_page.wait_for_text("camera-words", "The camera was disconnected.")
    assert camera_page.text("camera-button") == "Start the camera"
    _wait_until_off(camera_page)


@pytest.mark.usefixtures("without_runtime")
def test_a_refusal_is_explained(page: Page, server: WebServer) -> None:
    _allow(page, server.url, "denied")
    _open(page, server.url)

    page.find("camera-button").click()

    page.wait_for_text("camera-words", "The browser does not let this page use the camera. Allow it")
    assert page.text("camera-button") == "Start the camera"
    page.driver.execute_cdp_cmd("Browser.resetPermissions", {})


@pytest.mark.usefixtures("without_runtime")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotFoundError", "This device has no camera."),
        ("NotReadableError", "The camera does not start. Close other programs that use it"),
        ("OverconstrainedError", "This camera is no longer there."),
        ("TypeError", "The camera does not start (TypeError)."),
    ],
)
def test_a_camera_that_cannot_be_used_is_explained(page: Page, server: WebServer, error: str, words: str) -> None:
    page.open(f"{server.url}#/camera")
    page.driver.execute_script(
        "const [name] = arguments;"
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name) }",
        error,
    )

    page.find("camera-button").click()

    page.wait_for_text("camera-words", words)


@pytest.mark.usefixtures("without_runtime")
def test_permission_that_comes_after_stop_switches_nothing_on(camera_page: Page) -> None:
    camera_page.driver.execute_script(
        "const media = navigator.mediaDevices; const open = media.getUserMedia;"
        "media.getUserMedia = async (asked) => {"
        "  await new Promise((done) => (window.permit = done)); return open(asked) }"
    )
    camera_page.find("camera-button").click()
    camera_page.wait_for_text("camera-words", "Waiting for the camera…")
    camera_page.find("camera-button").click()

    camera_page.driver.execute_script("window.permit()")

    wait_until(lambda: camera_page.driver.execute_script("return window.tracks.length") == 1, lambda: "no camera came")
    _wait_until_off(camera_page)
    assert camera_page.text("camera-words") == "The camera is off"


@pytest.mark.usefixtures("without_runtime")
def test_a_page_without_tls_from_another_machine_says_what_to_do(page: Page, server: WebServer) -> None:
    source = "delete Navigator.prototype.mediaDevices; Object.defineProperty(window, 'isSecureContext', {value: false})"
    added = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})

    page.open(f"{server.url}#/camera")

    assert "Browsers lend a camera only to pages at https:// or at localhost." in page.text("camera-words")
    assert f"ssh -L {server.port}:127.0.0.1:{server.port} 127.0.0.1" in page.text("camera-words")
    assert not page.find("camera-button").is_enabled()
    page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.mark.usefixtures("without_runtime")
def test_a_token_that_is_not_given_stops_the_camera(page: Page) -> None:
    page.expected.append("status of 401")
    guarded = start_server(None, port=0, settings=WebSettings(token="a-token-of-this-test"))  # noqa: S106 - guards nothing
    _allow(page, guarded.url, "granted")
    try:
        page.open(f"{guarded.url}#token=a-token-of-this-test")
        page.wait_for_text("reader", "litert")
        page.driver.execute_script("sessionStorage.clear(); location.hash = '#token=wrong-token-of-this-test'")
        page.find("tab-camera").click()
        page.driver.execute_script(KEEP_TRACKS)
        page.find("camera-button").click()
        wait_until(page.find("token").is_displayed, lambda: "no token is asked for")

        page.press(Keys.ESCAPE)

        page.wait_for_text("camera-words", "Enter the token that the server printed when it started.")
        _wait_until_off(page)
    finally:
        page.driver.get("about:blank")
        guarded.close()
