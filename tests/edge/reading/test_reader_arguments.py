"""What a caller of the Python API gets wrong is one sentence with the cure; what the command takes, the API takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED, find_shipped
from edge_mnist.edge.common.errors import ArgumentError
from edge_mnist.edge.reading.finding import find_candidates, show_ink
from edge_mnist.edge.reading.framing import frame_digit
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import choose_runtime
from edge_mnist.edge.sinks.annotate import annotate

PAGE = draw_page(("1247",), seed=3, pen=PagePen(height_px=40, width_px=4))
NO_FRAMES = {
    "None": (None, r"cv2.imread returns None .* edge_mnist.read_gray"),
    "a path": ("page.jpg", r"read_gray\(path\)"),
    "a Path": (Path("page.jpg"), r"read_gray\(path\)"),
    "a Pillow picture": (Image.new("L", (9, 9)), "numpy.asarray"),
    "BGR": (np.zeros((4, 4, 3), np.uint8), "COLOR_BGR2GRAY"),
    "BGRA": (np.zeros((4, 4, 4), np.uint8), "COLOR_BGR2GRAY"),
    "a batch": (np.zeros((1, 4, 4), np.uint8), "numpy.squeeze"),
    "a row": (np.zeros(4, np.uint8), "numpy.squeeze"),
    "floats": (np.zeros((4, 4)), r"255 \* frame"),
    "16 bits": (np.zeros((4, 4), np.uint16), r"\.round\(\)\.astype"),
    "truth values": (np.zeros((4, 4), bool), r"\* 255"),
    "empty": (np.zeros((0, 4), np.uint8), "no pixels"),
    "a list": ([[1, 2]], "numpy.asarray"),
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.mark.parametrize(("frame", "advice"), NO_FRAMES.values(), ids=list(NO_FRAMES))
def test_what_is_no_gray_frame_is_one_sentence_with_the_cure(frame: Any, advice: str) -> None:
    for take in (find_candidates, show_ink):
        with pytest.raises(ValueError, match=f"expected a gray frame, uint8 .*{advice}"):
            take(frame)


@pytest.mark.parametrize("frame", [None, np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8)], ids=["None", "float", "2"])
def test_what_is_no_picture_is_not_drawn_on(reader: Reader, frame: Any) -> None:
    with pytest.raises(ValueError, match="expected a picture, uint8"):
        annotate(frame, reader.read(PAGE))


@pytest.mark.parametrize("ink", [None, np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8)], ids=["None", "float", "BGR"])
def test_what_is_no_ink_is_not_framed(ink: Any) -> None:
    with pytest.raises(ValueError, match="expected ink, uint8"):
        frame_digit(ink)


@pytest.mark.parametrize("images", [None, np.zeros((2, 28, 28), np.uint8), np.zeros((2, 28, 28, 1), np.float32)])
@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_what_is_no_batch_of_images_is_not_classified(images: Any, runtime: str) -> None:
    classifier = load_classifier(open_bundle(SHIPPED), choose_runtime(runtime), "int8")

    with pytest.raises(ValueError, match=r"expected images, uint8 \[N, 28, 28, 1\]"):
        classifier.logits(images)


@pytest.mark.parametrize(
    "frame",
    [PAGE[::-1][::-1], np.asfortranarray(PAGE), np.repeat(PAGE, 2, axis=1)[:, ::2], np.stack([PAGE] * 3, -1)[..., 1]],
    ids=["flipped twice", "columns first", "every other", "a channel"],
)
def test_any_layout_in_memory_is_read(reader: Reader, frame: np.ndarray) -> None:
    frame.flags.writeable = False

    assert reader.read(frame).rows == ("1247",)


@pytest.mark.parametrize("bundle", ["standard", "nano"])
def test_a_shipped_bundle_is_taken_by_its_name(bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / bundle).mkdir()

    assert Reader(bundle).read(PAGE).rows == ("1247",)
    assert open_bundle(bundle).path in find_shipped()
    with pytest.raises(ModelCardError, match="not a bundle"):
        Reader(f"./{bundle}")


def test_a_bundle_is_taken_as_path_as_string_and_open() -> None:
    for bundle in (SHIPPED, str(SHIPPED), open_bundle(SHIPPED)):
        assert Reader(bundle).read(PAGE).rows == ("1247",)


@pytest.mark.parametrize("bundle", [None, 3, b"nano", ["nano"]], ids=str)
def test_what_names_no_bundle_is_one_sentence(bundle: Any) -> None:
    with pytest.raises(
        ValueError, match=r"expected a bundle: its folder, the name of a shipped bundle \(nano, standard\)"
    ):
        Reader(bundle)


def test_a_bundle_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ModelCardError, match="not a bundle"):
        Reader("nowhere")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runtime": "tensorrt"}, "expected a runtime among litert, tflite-runtime, onnxruntime"),
        ({"runtime": ["litert"]}, "expected a runtime among"),
        ({"precision": "int4"}, "expected a precision among float32, float16, dynamic, int8, int16x8, got 'int4'"),
        ({"threads": 0}, "expected threads to be an integer of at least 1, got 0"),
        ({"threads": "2"}, "expected threads"),
        ({"threads": True}, "expected threads"),
    ],
    ids=str,
)
def test_an_argument_that_nothing_has_is_one_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Reader(**arguments)
