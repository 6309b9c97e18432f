"""The model in the page: finding, framing, inference and abstention there give what they give in Python."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.benchmarks.photos.labels import SHIPPED_PHOTOS, read_labels
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data.images import Images
from edge_mnist.edge.reading.framing import frame_digit
from edge_mnist.edge.reading.ink.shapes import Box
from edge_mnist.edge.reading.rows import group_into_rows
from edge_mnist.edge.runtimes.abstention import (
    estimate_class_probability,
    estimate_digit_probability,
    score_digits,
    weigh_company,
)
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import choose_runtime
from edge_mnist.edge.web.routes.files import RUNTIME_VARIABLE
from edge_mnist.edge.web.server import WebServer, start_server
from tests.builders.ink import write
from tests.stand_ins.chromium import Page, browser_runtime, page

__all__ = ["browser_runtime", "page"]

Gray = NDArray[np.uint8]

COUNT = 300
# OpenCV rounds a few pixels of an interpolation otherwise on other processors; here all pixels are the same.
LEAST_SAME_PIXELS = 0.99
LARGEST_MEAN_DIFFERENCE = 0.1
LEAST_SAME_DIGITS = 0.99
# Bit-identical here; integer kernels of other processors may add up in another order before they round.
LOGITS_TOLERANCE = 0.25

# Functions that scripts begin with.
PRELUDE = """
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const load = (name) => import(`/static/${name}.js`);
const open = async (abstention = {threshold: 0, temperature: 1}) =>
  (await load("browser_reader")).BrowserReader.open(abstention);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    started = start_server(None, port=0)
    yield started
    started.close()


@pytest.fixture
def model_page(
    page: Page, server: WebServer, browser_runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator["Page"]:
    """The page of a server that has onnxruntime-web."""
    monkeypatch.setenv(RUNTIME_VARIABLE, str(browser_runtime))
    page.open(server.url)
    page.wait_for_text("reader-note", "Drawings do not leave this page")
    return page


@pytest.fixture(scope="module")
def inks(sample: Images) -> list[Gray]:
    """MNIST's digits drawn large, in thin, natural and thick strokes by turns, cropped to their ink."""
    random = np.random.default_rng(5)
    chosen = random.choice(len(sample), COUNT, replace=False)
    return [_enlarge(sample.pixels[i, ..., 0], random.uniform(3, 9), turn % 3) for turn, i in enumerate(chosen)]


def test_framing_in_the_page_is_framing_in_python(model_page: Page, inks: list[Gray]) -> None:
    expected = np.stack([frame_digit(ink) for ink in inks])

    framed = _frame_in_page(model_page, inks)

    difference = np.abs(framed.astype(int) - expected)
    assert (difference == 0).mean() >= LEAST_SAME_PIXELS
    assert difference.mean((1, 2, 3)).max() <= LARGEST_MEAN_DIFFERENCE
    same = _python_logits(framed).argmax(1) == _python_logits(expected).argmax(1)
    assert same.mean() >= LEAST_SAME_DIGITS


def test_the_model_in_the_page_gives_the_logits_of_onnx_runtime(model_page: Page, inks: list[Gray]) -> None:
    images = np.stack([frame_digit(ink) for ink in inks])

    answer = model_page.run(
        PRELUDE + "const reader = await open(); const logits = await reader.ask('classify', {images: bytes(given[0])});"
        "reader.close(); return Array.from(logits);",
        _encode(images),
    )

    logits = np.array(answer, np.float32).reshape(-1, 10)
    np.testing.assert_allclose(logits, _python_logits(images), atol=LOGITS_TOLERANCE)
    assert (logits.argmax(1) == _python_logits(images).argmax(1)).mean() >= LEAST_SAME_DIGITS


def test_scores_and_confidence_in_the_page_are_those_of_python(page: Page, server: WebServer) -> None:
    logits = np.random.default_rng(0).normal(0, 6, (50, 10)).astype(np.float32)
    page.open(server.url)

    scores, sure = np.array(
        page.run(
            PRELUDE + "const {scoreDigit, estimateClassProbability} = await load('abstention');"
            "return [given[0].map(scoreDigit), given[0].map((logits) => estimateClassProbability(logits, 0.5))];",
            logits.tolist(),
        )
    )

    np.testing.assert_allclose(scores, score_digits(logits), rtol=1e-4)
    np.testing.assert_allclose(sure, estimate_class_probability(logits, 0.5), rtol=1e-4)


def test_what_is_a_digit_in_the_page_is_as_likely_as_in_python(page: Page, server: WebServer) -> None:
    odds = open_bundle(SHIPPED).export.abstention.digit_odds
    page.open(server.url)
    cases = [(3.0, [2, 4], 2), (5.0, [1], 1), (5.0, [1, 1], 60), (6.0, [3, 1, 7], 1), (-90.0, [], 0)]

    likely = page.run(
        PRELUDE + "const {estimateDigitProbability, weighCompany} = await load('abstention');"
        "return given[0].map(([score, digits, shapes]) =>"
        "  [given[1], null].map((odds) => estimateDigitProbability(score, weighCompany(digits, shapes), odds)));",
        cases,
        msgspec.to_builtins(odds),
    )

    expected = [estimate_digit_probability(score, weigh_company(digits, n), odds) for score, digits, n in cases]
    assert [with_odds for with_odds, _ in likely] == pytest.approx(expected, rel=1e-9)
    assert all(without is None for _, without in likely)


def test_reading_order_in_the_page_is_that_of_python(page: Page, server: WebServer) -> None:
    random = np.random.default_rng(1)
    scenes = [random.integers((0, 0, 10, 20), (600, 400, 60, 90), (12, 4)).tolist() for _ in range(40)]
    scenes += [
        [[40 * i, int(500 + 40 * climb * i), 24 + i % 3, 42 - 2 * (i % 4)] for i in range(9)]
        for climb in np.linspace(-0.9, 0.9, 19).tolist()
    ]
    page.open(server.url)

    rows = page.run(
        PRELUDE + "const {groupIntoRows} = await load('rows');"
        "const group = (scene) => groupIntoRows(scene.map(([x, y, width, height]) => ({box: {x, y, width, height}})));"
        "return given[0].map((scene) => group(scene).map((row) =>"
        "  row.map(({box}) => [box.x, box.y, box.width, box.height])));",
        scenes,
    )

    assert rows == [group_into_rows(scene, lambda box: Box(*box)) for scene in scenes]


STROKES = {
    "one stroke": ([(60, 60), (60, 180)],),
    "the bar of a 5 apart": (
        [(70, 92), (70, 120), (105, 118), (125, 145), (105, 178), (60, 172)],
        [(70, 66), (125, 64)],
    ),
    "the leg of a 4 apart": ([(90, 40), (50, 110), (140, 110)], [(118, 128), (118, 180)]),
    "two rows": ([(60, 40), (60, 120)], [(60, 160), (60, 240)]),
    "neighbours": ([(60, 40), (100, 40), (80, 120)], [(122, 40), (122, 120)]),
    "a slip of the pen": ([(60, 60), (60, 180)], [(200, 120), (201, 120)]),
}
SHAPES = {"two rows": 2, "neighbours": 2}


def test_strokes_of_one_digit_are_one_shape(page: Page, server: WebServer) -> None:
    page.open(server.url)
    drawings = {name: _encode(_draw(strokes)) for name, strokes in STROKES.items()}

    counts = page.run(
        PRELUDE + "const {findShapes} = await load('finding');"
        "return given[0].map((ink) => findShapes({data: bytes(ink), width: 320, height: 300}).length);",
        list(drawings.values()),
    )

    assert dict(zip(drawings, counts, strict=True)) == {name: SHAPES.get(name, 1) for name in drawings}


def test_a_written_page_is_read_and_a_scribble_is_refused(model_page: Page) -> None:
    written = write("4071", "9283", height=90, width=9).ink
    corners = np.random.default_rng(3).integers(20, 180, (40, 2))
    scribble = _draw(([(int(x), int(y)) for x, y in corners],))

    reading, refusal = _read_in_page(model_page, [written, scribble])

    assert reading["rows"] == ["4071", "9283"]
    assert [shape["digit"] for shape in reading["seen"]] == [4, 0, 7, 1, 9, 2, 8, 3]
    assert refusal["rows"] == []
    assert [shape["digit"] for shape in refusal["seen"]] == [None]


# Shipped scenes that need none of what only the server's reader has: ruled lines, digits that touch, two papers.
SIMPLE = (
    "plain", "thin-pencil", "marker", "blue-pen", "shadow-edge", "soft-shadow", "page-border", "brown-paper",
    "low-light", "blurred", "perspective", "single-large", "tiny-frame", "broken-strokes",
)  # fmt: skip
WITHOUT_DIGITS = ("letters", "drawings", "empty")
READ_FRAMES = """
const reader = await open((await (await fetch("/v1/model")).json()).abstention);
const found = [];
for (const jpeg of given[0]) {
  const bitmap = await createImageBitmap(new Blob([bytes(jpeg)], {type: "image/jpeg"}));
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, 640 / Math.max(bitmap.width, bitmap.height));
  [canvas.width, canvas.height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  found.push((await reader.readFrame(canvas)).rows);
}
return found;
"""


def test_a_frame_of_a_camera_is_read_in_the_page_as_it_was_written(model_page: Page) -> None:
    names = SIMPLE + WITHOUT_DIGITS
    photos = {photo.path.stem.rpartition("-")[0]: photo for photo in read_labels(SHIPPED_PHOTOS)}
    content = [base64.b64encode(photos[name].path.read_bytes()).decode() for name in names]

    found = dict(zip(names, model_page.run(PRELUDE + READ_FRAMES, content), strict=True))

    assert found == {name: list(photos[name].label.rows) for name in names}


def _frame_in_page(page: Page, inks: list[Gray]) -> Gray:
    framed = page.run(
        PRELUDE + "const {frameDigit} = await load('framing'); const all = bytes(given[0]); let at = 0;"
        "return given[1].map(([height, width]) =>"
        "  Array.from(frameDigit({data: all.slice(at, at += height * width), width, height})));",
        base64.b64encode(b"".join(ink.tobytes() for ink in inks)).decode(),
        [ink.shape for ink in inks],
    )
    return np.array(framed, np.uint8).reshape(-1, 28, 28, 1)


def _read_in_page(page: Page, inks: list[Gray]) -> Any:
    abstention = open_bundle(SHIPPED).export.abstention
    return page.run(
        PRELUDE + "const reader = await open(given[1]); const readings = [];"
        "for (const [data, height, width] of given[0])"
        "  readings.push(await reader.ask('read', {ink: {data: bytes(data), width, height}}));"
        "reader.close(); return readings;",
        [[_encode(ink), *ink.shape] for ink in inks],
        {"threshold": abstention.threshold, "temperature": abstention.temperature},
    )


def _draw(strokes: tuple[list[tuple[int, int]], ...]) -> Gray:
    """Strokes through these points (x, y), uint8 [300, 320]."""
    ink = np.zeros((300, 320), np.uint8)
    for stroke in strokes:
        cv2.polylines(ink, [np.array(stroke, np.int32)], isClosed=False, color=255, thickness=12, lineType=cv2.LINE_AA)
    return ink


def _python_logits(images: Gray) -> NDArray[np.float32]:
    return load_classifier(open_bundle(SHIPPED), choose_runtime("onnxruntime"), "int8", 1).logits(images)


def _enlarge(image: Gray, scale: float, turn: int) -> Gray:
    """A digit drawn large; `turn` 0 leaves its strokes, 1 thins them, 2 thickens them."""
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    pen = np.ones((3, 3), np.uint8)
    if turn == 1:
        thin = cv2.erode(large, pen, iterations=int(scale / 2.5))
        large = thin if (thin > 40).any() else large
    if turn == 2:
        large = cv2.dilate(large, pen, iterations=int(1.5 * scale))
    x, y, width, height = cv2.boundingRect((large > 40).astype(np.uint8))
    return np.ascontiguousarray(large[y : y + height, x : x + width])


def _encode(pixels: Gray) -> str:
    return base64.b64encode(pixels.tobytes()).decode()
