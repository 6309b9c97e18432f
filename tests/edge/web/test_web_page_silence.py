"""The live view when the network falls silent, and what else the page says in its own words."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.by import By

from edge_mnist.edge.live.events import CameraChange
from edge_mnist.edge.web.live_feed import LiveFeed
from edge_mnist.edge.web.server import WebServer, start_server
from edge_mnist.edge.web.settings import WebSettings
from tests.builders.sightings import make_change, make_sighting
from tests.stand_ins.chromium import Page, page, wait_until, without_runtime
from tests.stand_ins.nginx import running_nginx

from .test_web_proxy import find_free_port

__all__ = ["page", "without_runtime"]

pytestmark = pytest.mark.usefixtures("without_runtime")

# Whatever is asked of the server from now on stays without an answer, as on a network that is gone; and again not.
SILENCE = """
window.before = window.fetch;
window.fetch = (path, {signal}) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
"""
SOUND = "window.fetch = window.before"


class Camera:
    """A feed with a reading each tenth of a second, until it is quiet."""

    def __init__(self) -> None:
        self.feed = LiveFeed("auto")
        self.feed.take(make_change())
        self.rows = ("471",)
        self.is_quiet = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        index = 0
        while not self._ended.wait(0.1):
            if not self.is_quiet:
                picture = np.full((240, 320, 3), 235, np.uint8) if self.feed.wants_picture() else None
                self.feed.take(make_sighting(index, self.rows, picture=picture))
                index += 1

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera()
    yield made
    made.close()


@pytest.fixture
def server(page: Page, camera: Camera) -> Iterator[WebServer]:
    started = start_server(camera.feed, port=0)
    yield started
    # Or it would go on asking.
    page.driver.get("about:blank")
    started.close()


def test_a_server_that_falls_silent_is_noticed_its_digits_are_old_and_it_is_found_again(
    page: Page, server: WebServer, camera: Camera
) -> None:
    page.open(f"{server.url}#/live")
    page.wait_for_rows("live-rows", "471")
    page.wait_for_text("live-state", "Camera open")
    assert page.text("live-age") == ""

    page.driver.execute_script(SILENCE)
    # Of what is on its way nothing arrives any more.
    hold_events(server)
    page.wait_for_text("live-state", "No connection to the server")
    page.wait_for_text("live-age", "Old: read ")
    page.wait_for_text("notice-words", "The server does not answer. Trying again…")
    assert page.text("live-latency") == "\N{EN DASH}"
    assert "old" in page.find("live-rows").get_attribute("class").split()
    camera.rows = ("28",)
    page.driver.execute_script(SOUND)
    release_events(server)

    page.wait_for_rows("live-rows", "28")
    page.wait_for_text("live-state", "Camera open")
    assert "old" not in page.find("live-rows").get_attribute("class").split()
    wait_until(lambda: not page.find("notice").is_displayed(), lambda: page.text("notice"))


def test_a_reading_that_grows_old_on_a_camera_that_is_open_says_how_old(
    page: Page, server: WebServer, camera: Camera
) -> None:
    page.open(f"{server.url}#/live")
    page.wait_for_rows("live-rows", "471")

    camera.is_quiet = True

    page.wait_for_text("live-age", "Read 3 seconds ago.")
    page.wait_for_text("live-age", "Read 9 seconds ago.")
    assert page.text("live-state") == "Camera open", "the server is heard, so it is not lost"


def test_what_was_seen_before_the_page_was_opened_is_as_old_as_it_is(
    page: Page, server: WebServer, camera: Camera
) -> None:
    wait_until(lambda: camera.feed.sighting is not None, lambda: "there is no reading")
    camera.is_quiet = True
    time.sleep(3)

    page.open(f"{server.url}#/live")

    page.wait_for_rows("live-rows", "471")
    wait_until(lambda: "Read " in page.text("live-age"), lambda: page.text("live-age"))


def test_a_server_that_comes_back_without_its_camera_leaves_no_digits(page: Page, camera: Camera) -> None:
    page.expected += ["net::ERR", "status of 404"]
    first = start_server(camera.feed, port=0)
    page.open(f"{first.url}#/live")
    page.wait_for_rows("live-rows", "471")

    first.close()
    page.wait_for_text("live-state", "No connection to the server")
    second = start_server(None, port=first.port)
    try:
        page.wait_for_text("live-words", "This server has no camera")
        page.wait_for_rows("live-rows", "Nothing to read")
        assert (page.text("live-state"), page.text("live-age")) == ("", "")
    finally:
        page.driver.get("about:blank")
        second.close()


def test_the_page_opens_on_the_live_view_where_there_is_a_camera(page: Page, server: WebServer) -> None:
    page.open(server.url)

    page.wait_for_rows("live-rows", "471")
    assert page.find("tab-live").get_attribute("aria-selected") == "true"


@pytest.mark.parametrize("by", ["address", "hand"])
def test_a_part_that_was_chosen_stays(page: Page, server: WebServer, by: str) -> None:
    page.open(f"{server.url}#/photo" if by == "address" else server.url)
    if by == "hand":
        page.find("tab-photo").click()

    wait_until(lambda: page.find("reader").text != "Asking the server…", lambda: "it does not answer")
    time.sleep(0.3)

    assert page.find("tab-photo").get_attribute("aria-selected") == "true"


def test_the_page_works_below_a_path_of_nginx(page: Page, server: WebServer, tmp_path: Path) -> None:
    port = find_free_port()
    proxied = start_server(server.service.feed, port=0, settings=WebSettings(allow_hosts=(f"127.0.0.1:{port}",)))
    block = f"location /digits/ {{ proxy_pass http://127.0.0.1:{proxied.port}/; }}"
    try:
        with running_nginx(tmp_path / "nginx", port, block) as url:
            page.open(f"{url}/digits/")
            page.wait_for_rows("live-rows", "471")
            page.wait_for_text("live-state", "Camera open")
            page.find("tab-draw").click()
            page.draw("7", 60, 60)
            page.wait_for_rows("draw-rows", "7")
            page.driver.get("about:blank")
    finally:
        proxied.close()


def test_the_page_works_in_a_frame_of_a_named_site_and_in_no_other(page: Page, camera: Camera, tmp_path: Path) -> None:
    ports = [find_free_port() for _ in range(2)]
    framed = start_server(camera.feed, port=0, settings=WebSettings(allow_frames=(f"http://127.0.0.1:{ports[0]}",)))
    (tmp_path / "home.html").write_text(f'<!doctype html><title>home</title><iframe src="{framed.url}"></iframe>')
    page.expected += ["frame-ancestors", "favicon", "status of 404"]
    seen = []
    try:
        for i, port in enumerate(ports):
            with running_nginx(tmp_path / f"nginx{i}", port, f"root {tmp_path};") as url:
                page.open(f"{url}/home.html")
                page.driver.switch_to.frame(page.driver.find_element(By.TAG_NAME, "iframe"))
                if i == 0:
                    page.wait_for_rows("live-rows", "471")
                seen.append(len(page.driver.find_elements(By.ID, "live-rows")))
                page.driver.switch_to.default_content()
                page.driver.get("about:blank")
    finally:
        framed.close()

    assert seen == [1, 0]


@pytest.mark.parametrize(
    ("failure", "words"),
    [("new TypeError('Failed to fetch')", "The server does not answer."),
     ("new DOMException('x', 'NotAllowedError')", "The server does not answer."),
     ("'<html>'", "The server at this address is not edge-mnist.")],
    ids=["failed to fetch", "not allowed", "another server"],
)  # fmt: skip
def test_what_goes_wrong_is_told_in_our_words(page: Page, server: WebServer, failure: str, words: str) -> None:
    page.open(f"{server.url}#/draw")

    said = page.run(
        "const failure = eval(given[0]);"
        "window.fetch = async () => { if (typeof failure === 'string') return new Response(failure); throw failure; };"
        "const { fetchModel } = await import('./static/api.js'); const { inWords } = await import('./static/words.js');"
        "try { await fetchModel(); } catch (error) { return inWords(error); }",
        failure,
    )

    assert said == words


def test_the_browsers_own_words_are_for_the_console(page: Page, server: WebServer) -> None:
    page.open(f"{server.url}#/draw")

    said = page.run(
        "const { inWords } = await import('./static/words.js');return inWords(new DOMException('x', 'NotAllowedError'))"
    )

    assert said == "This page failed. Reload it; if it fails again, try another browser."


def test_a_browser_that_keeps_nothing_for_the_page_keeps_the_token_while_it_is_open(
    page: Page, server: WebServer
) -> None:
    page.open(f"{server.url}#/draw")

    kept = page.run(
        "Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
        "const { currentToken, keepToken } = await import('./static/token.js');"
        "keepToken(' a-token '); return currentToken()"
    )

    assert kept == "a-token"


def test_what_strangers_called_things_is_text_and_nothing_else(page: Page) -> None:
    name = "<img src=x onerror=document.title='pwned'>\x1b[31m\u202e"
    feed = LiveFeed(name)
    feed.take(CameraChange(name, "lost", f"{name}: gone", 0.0))
    server = start_server(feed, port=0)
    try:
        page.open(f"{server.url}#/live")
        page.wait_for_text("live-state-message", "<img src=x onerror=")
        assert page.driver.find_elements(By.CSS_SELECTOR, "img[src=x]") == []
        assert page.driver.title != "pwned"
        page.driver.get("about:blank")
    finally:
        server.close()


def hold_events(server: WebServer) -> None:
    """The server goes on, but nobody hears it: its connections' bytes stay where they are."""
    for connection in list(server._server.server_state.connections):
        connection.loop.call_soon_threadsafe(connection.transport.pause_reading)
        connection.loop.call_soon_threadsafe(connection.flow.pause_writing)


def release_events(server: WebServer) -> None:
    for connection in list(server._server.server_state.connections):
        connection.loop.call_soon_threadsafe(connection.flow.resume_writing)
