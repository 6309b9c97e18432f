"""The page in a real browser of other sizes and kinds: phones that are turned, fingers, and people's own settings."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.edge.web.server import WebServer, start_server
from tests.stand_ins.chromium import Page, page, without_runtime

__all__ = ["page", "without_runtime"]

# How strokes of 10 pixels lie after a pad of 400 by 300 pixels took another size.
KEEP = """
const { keepOnPad } = await import("/static/strokes.js");
const [paths, width, height] = given;
const strokes = paths.map((points) => ({ width: 10, points }));
keepOnPad(strokes, { width: 400, height: 300 }, { width, height });
return strokes;
"""

# Draw the box of one digit onto 400 by 300 pixels. Whether its ink is covered, and whether there is something above,
# below, right and left of it, and further above, where only a large tag would reach.
DRAW_BOX = """
const { drawBoxes } = await import("/static/boxes.js");
const canvas = document.createElement("canvas");
[canvas.style.width, canvas.style.height] = ["400px", "300px"];
document.body.append(canvas);
const [x, y, width, height] = given;
drawBoxes(canvas, [{ digit: 4, confidence: 1, box: given }], { width: 400, height: 300 });
const isPainted = (...area) => canvas.getContext("2d").getImageData(...area).data.some((value) => value > 0);
const points = [[x + 4, y - 12], [x + 4, y + height + 12], [x + width + 12, y + 8], [x - 12, y + 8], [x + 4, y - 17]];
return [isPainted(x, y, width, height), ...points.map(([left, top]) => isPainted(left, top, 1, 1))];
"""


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    """Without a token and without a camera."""
    started = start_server(None, port=0)
    yield started
    started.close()


@pytest.mark.parametrize(
    ("paths", "size", "width", "moved"),
    [
        ([[[20, 20], [90, 80]]], (100, 90), 10, [[[20, 20], [90, 80]]]),
        ([[[305, 105], [395, 295]]], (200, 300), 10, [[[105, 105], [195, 295]]]),
        ([[[5, 5], [395, 5]], [[205, 105]]], (200, 300), 5, [[[2.5, 2.5], [197.5, 2.5]], [[102.5, 52.5]]]),
        ([[[45, 45], [900, 45]]], (450, 350), 10, [[[45, 45], [900, 45]]]),
        ([], (10, 10), 10, []),
    ],
    ids=["fits", "moves", "shrinks", "ran off the pad before", "none"],
)
def test_strokes_stay_on_a_pad_that_becomes_smaller(
    page: Page, server: WebServer, paths: list, size: tuple[int, int], width: float, moved: list
) -> None:
    page.open(server.url)

    kept = page.run(KEEP, paths, *size)

    assert [stroke["points"] for stroke in kept] == moved
    assert {stroke["width"] for stroke in kept} <= {width}


@pytest.mark.usefixtures("without_runtime")
@pytest.mark.parametrize("width", [390, 320])
def test_a_drawing_stays_on_the_pad_of_a_phone_that_is_turned(page: Page, server: WebServer, width: int) -> None:
    page.open(server.url)
    for digit, left in (("3", 40), ("0", 300), ("7", 560)):
        page.draw(digit, left, 20, height=150)
    page.wait_for_rows("draw-rows", "307")

    page.show(width, 844)
    # What is drawn then is read together with what was there.
    page.draw("2", 100, 120, height=90)

    page.wait_for_rows("draw-rows", "307", "2")
    for rows in (["307"], ["30"]):
        page.find("undo").click()
        page.wait_for_rows("draw-rows", *rows)


@pytest.mark.usefixtures("without_runtime")
def test_what_was_cleared_comes_back_onto_a_pad_that_became_smaller(page: Page, server: WebServer) -> None:
    page.open(server.url)
    page.draw("7", 600, 200)
    page.wait_for_rows("draw-rows", "7")
    page.find("clear").click()
    page.draw("2", 60, 20)
    page.wait_for_rows("draw-rows", "2")

    page.show(390, 844)
    for _ in range(2):
        page.find("undo").click()

    page.wait_for_rows("draw-rows", "7")


@pytest.mark.parametrize(
    ("box", "places"),
    [
        ([100, 100, 40, 80], ["above", "further above"]),
        ([100, 100, 10, 16], ["above"]),
        ([100, 8, 40, 80], ["below"]),
        ([100, 8, 40, 284], ["right"]),
        ([350, 8, 40, 284], ["left"]),
    ],
    ids=["amid", "small", "at the top", "as high as the pad", "in the right corner"],
)
def test_a_tag_covers_no_ink_where_there_is_room_beside_it(
    page: Page, server: WebServer, box: list[int], places: list[str]
) -> None:
    page.open(server.url)

    covered, *painted = page.run(DRAW_BOX, *box)

    assert not covered
    there = dict(zip(("above", "below", "right", "left", "further above"), painted, strict=True))
    assert [place for place, is_painted in there.items() if is_painted] == places


@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "finger"])
def test_each_kind_of_pointer_gets_its_own_words_alone(page: Page, server: WebServer, touch: bool) -> None:
    page.show(900, 700, touch=touch)
    page.open(f"{server.url}#/photo")

    hint = page.text("photo-hint")

    assert hint == ("Choose a photo, or take one" if touch else "Drop a photo here, or paste one")
    assert page.find("photo-camera-button").is_displayed() == touch


@pytest.mark.parametrize(("motion", "dot"), [("no-preference", "breathe"), ("reduce", "none")])
def test_the_notice_breathes_only_for_those_who_like_motion(
    page: Page, server: WebServer, motion: str, dot: str
) -> None:
    page.open(server.url)
    _prefer(page, "prefers-reduced-motion", motion)

    page.driver.execute_script(
        "const notice = document.getElementById('notice'); notice.hidden = false; notice.classList.add('waiting')"
    )

    script = "return getComputedStyle(document.getElementById('notice-words'), '::before').animationName"
    assert page.driver.execute_script(script) == dot


def test_the_chosen_tab_stands_out_in_forced_colours(page: Page, server: WebServer) -> None:
    page.open(server.url)
    _prefer(page, "forced-colors", "active")

    chosen, other = (
        page.driver.execute_script(
            "const style = getComputedStyle(arguments[0]); return [style.backgroundColor, style.color]", page.find(tab)
        )
        for tab in ("tab-draw", "tab-photo")
    )

    assert chosen[0] != other[0]
    assert chosen[1] != other[1]
    # The ground is seen between the letters: the browser has laid no other one below them.
    middle = _photograph(page, "tab-draw")[20:24, 10:-10]
    is_ground = (middle == middle[0, 0]).all(axis=(0, 2))
    letters = np.flatnonzero(~is_ground)
    assert is_ground[letters[0] : letters[-1]].any()


def _photograph(page: Page, name: str) -> NDArray[np.uint8]:
    """uint8 [height, width, 3], BGR."""
    content = np.frombuffer(page.find(name).screenshot_as_png, np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR).astype(np.uint8)


def _prefer(page: Page, feature: str, value: str) -> None:
    """Until the next test's page is shown."""
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": feature, "value": value}]})
