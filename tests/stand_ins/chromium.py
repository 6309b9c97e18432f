"""Debian's Chromium without a window, and onnxruntime-web for it: what tests of the page share.

One browser serves the whole session. Every test ends with a look at its console and its requests: an error that no
test announced, or a request to anywhere but this machine, fails it.
"""

import base64
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlsplit

import cv2
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from edge_mnist.benchmarks.scenes.pages import STROKES, PagePen, draw_page, round_corners
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.web import browser_runtime as fetch_runtime
from edge_mnist.edge.web.routes.files import RUNTIME_VARIABLE

# Long enough for a loaded machine to compile 14 MB of WebAssembly.
PATIENCE_S = 20.0
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1200,900",
    # Whatever the browser itself may want from the network, it shall not get.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    # A camera that shows a video over and over.
    "--use-fake-device-for-media-stream",
)  # fmt: skip
# What the page before the browser's camera says.
CAMERA_ROWS = ("471", "205")
# WCAG 2.2, level AA, for text of any size.
LEAST_CONTRAST = 4.5
# Of each text that is shown and not switched off: [the text, its contrast to the first ground below it], as WCAG 2.2
# defines it. Colours go over a canvas, which gives any of them as bytes; what is translucent is mixed with its ground.
CONTRASTS = """
const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
const bytes = (colour) => {
  context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
};
const linear = (value) => value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const colour = bytes(getComputedStyle(element).backgroundColor);
    if (colour[3] > 200) return colour;
  }
  return [255, 255, 255, 255];
};
const over = (colour, below) => below.map((value, i) => (colour[i] * colour[3] + value * (255 - colour[3])) / 255);
return [...document.querySelectorAll("body *")].filter((element) =>
  element.checkVisibility() && !element.closest(":disabled, option, title") &&
  [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
).map((element) => {
  const style = getComputedStyle(element), isDrawn = element instanceof SVGElement;
  // Letters of a drawing may have an outline, which is then their ground.
  const below = isDrawn && style.paintOrder.startsWith("stroke") ? bytes(style.stroke) : ground(element);
  const [one, other] = [over(bytes(isDrawn ? style.fill : style.color), below), below].map(luminance);
  return [element.textContent.trim(), (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
});
"""
_started: list[webdriver.Chrome] = []


@pytest.fixture(scope="session")
def browser_runtime(request: pytest.FixtureRequest) -> Path:
    """A folder with onnxruntime-web, fetched once into pytest's cache; or a skip that says why there is none."""
    given = os.environ.get(RUNTIME_VARIABLE)
    if given:
        return Path(given)
    assert request.config.cache is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(request.config.cache.mkdir("onnxruntime-web")))
        if fetch_runtime.runtime_version(fetch_runtime.runtime_dir()) != fetch_runtime.VERSION:
            try:
                fetch_runtime.fetch_runtime()
            except EdgeMnistError as error:
                pytest.skip(f"needs onnxruntime-web: {error}")
        return fetch_runtime.runtime_dir()


@pytest.fixture
def with_runtime(browser_runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has onnxruntime-web."""
    monkeypatch.setenv(RUNTIME_VARIABLE, str(browser_runtime))


@pytest.fixture
def without_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has none."""
    monkeypatch.setenv(RUNTIME_VARIABLE, str(tmp_path))


@pytest.fixture
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Page"]:
    """The browser at an empty page, wide and light; checked in the end."""
    opened = Page(_start(request, tmp_path_factory))
    opened.show(1200, 900)
    yield opened
    opened.check()


def _start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> webdriver.Chrome:
    """The session's browser."""
    if not _started:
        browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if browser is None or driver is None:
            pytest.skip("needs a browser: apt install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        folder = tmp_path_factory.mktemp("chromium")
        video = write_video(folder / "camera.mjpeg")
        for switch in (
            *SWITCHES,
            f"--use-file-for-fake-video-capture={video}",
            f"--user-data-dir={folder / 'profile'}",
        ):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # With its path at hand selenium looks for no driver elsewhere.
        started = webdriver.Chrome(options, webdriver.ChromeService(driver))
        started.set_script_timeout(60)
        _started.append(started)
        request.config.add_cleanup(lambda: _started.pop().quit())
    return _started[0]


def write_video(path: Path) -> Path:
    """Write what the browser's camera sees: a drawn page, which a hand moves a little."""
    page = cv2.resize(draw_page(CAMERA_ROWS, seed=3, pen=PagePen(96, 8)), (640, 480))
    with path.open("wb") as file:
        for shift in (0, 2, 4, 2):
            moved = cv2.warpAffine(
                page, np.float32([[1, 0, shift], [0, 1, shift]]), (640, 480), borderMode=cv2.BORDER_REPLICATE
            )
            file.write(cv2.imencode(".jpg", cv2.cvtColor(moved, cv2.COLOR_GRAY2BGR))[1].tobytes())
    return path


class Page:
    """The page in the browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        # The page of the test before would go on asking for a server that is no longer there.
        driver.get("about:blank")
        # What the browser did before this test, e.g. show its own first page.
        for kind in ("performance", "browser"):
            driver.get_log(kind)
        # Parts of messages of the console that a test expects.
        self.expected: list[str] = []

    def show(self, width: int, height: int, scheme: str = "light", touch: bool = False) -> None:
        """Set the size of the window in pixels, and how it is looked at."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if touch else 1, "mobile": touch}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def open(self, url: str) -> None:
        """Load the page anew, in a tab that knows no token."""
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": urldefrag(url).url, "storageTypes": "all"})
        self.driver.get(url)

    def find(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self.find(name).text

    def wait_for_text(self, name: str, expected: str) -> None:
        """Until an element says so; what it says instead, if it does not."""
        wait_until(lambda: expected in self.text(name), lambda: f"{name} says {self.text(name)!r}, not {expected!r}")

    def wait_for_rows(self, name: str, *rows: str) -> None:
        """Until these rows are read, and no others."""
        wait_until(lambda: self.text(name) == "\n".join(rows), lambda: f"{name} says {self.text(name)!r}, not {rows}")

    def run(self, script: str, *arguments: object) -> Any:
        """Run the body of an async function that may import the page's modules, and return what it returns."""
        body = "const done = arguments[arguments.length - 1]; (async (...given) => {" + script + "})(...arguments)"
        result = self.driver.execute_async_script(
            body + ".then((value) => done({value}), (error) => done({error: String(error)}))", *arguments
        )
        assert "error" not in result, result["error"]
        return result["value"]

    def draw(self, digit: str, left: int, top: int, height: int = 120) -> None:
        """Draw a digit with the mouse; its box's corner, in pixels of the pad."""
        for stroke in STROKES[digit]:
            path = [(left + (0.5 if digit == "1" else 0.6) * height * x, top + height * y) for x, y in smooth(stroke)]
            self.drag(path)

    def drag(self, path: Iterable[tuple[float, float]]) -> None:
        """Press the mouse at the first point of the pad, move along the others, let go."""
        pad = self.find("pad")
        size = pad.size
        points = [(round(x - size["width"] / 2), round(y - size["height"] / 2)) for x, y in path]
        moves = ActionChains(self.driver, duration=0).move_to_element_with_offset(pad, *points[0]).click_and_hold()
        for point in points[1:]:
            moves.move_to_element_with_offset(pad, *point)
        moves.release().perform()

    def press(self, *keys: str, control: bool = False) -> None:
        """On the keyboard, wherever the focus is."""
        moves = ActionChains(self.driver, duration=0)
        if control:
            moves.key_down(Keys.CONTROL)
        moves.send_keys(*keys)
        if control:
            moves.key_up(Keys.CONTROL)
        moves.perform()

    def drop(self, content: bytes, media_type: str) -> None:
        """Drop a file onto the page."""
        self.driver.execute_script(
            "const [content, type] = arguments; const data = new DataTransfer();"
            "data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], 'dropped', {type}));"
            "document.dispatchEvent(new DragEvent('drop', {dataTransfer: data, cancelable: true}));",
            base64.b64encode(content).decode(),
            media_type,
        )

    def check(self) -> None:
        """Nothing in the console that was not expected, and no request to anywhere else."""
        # Workers' requests are not among these; the content security policy holds them, and would show in the console.
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        elsewhere = [url for url in sent if not _is_local(url)]
        unexpected = [words for words in said if not any(part in words for part in self.expected)]
        assert not elsewhere, f"requests left this machine: {elsewhere}"
        assert not unexpected, f"the console says {unexpected}"


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.hostname == "127.0.0.1" or parts.scheme in {"about", "blob", "chrome", "data"}


def smooth(stroke: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """A stroke as a hand draws it, in a few points."""
    return [(float(x), float(y)) for x, y in round_corners(np.array(stroke), passes=1)]


def wait_until(holds: Callable[[], bool], describe: Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    """Look again and again; fail with what there is instead."""
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, describe()
        time.sleep(0.03)
