"""The usual way to read digits with a TFLite file, to time beside the reader: one threshold for the whole frame.

Otsu's threshold, a closing of 5x5, outer contours, and one inference for each of their boxes. Written from that
description, and kind: the interpreter is made once, and the frame is as large as it comes.
"""

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ....edge.bundle.folder import MOST_FILE_BYTES
from ....edge.common.errors import EdgeMnistError
from ....edge.common.files import read_file
from ....edge.common.kinds import TFLITE, UNKNOWN, describe_mistake, identify_kind
from ....edge.common.native_log import quiet_native_log
from ....edge.common.processes.child import call_in_child, first_line, limits_for
from ....edge.reading.ink.shapes import Box
from ....edge.runtimes.registry import RUNTIMES
from ...errors import BenchmarkError

CLOSING = np.ones((5, 5), np.uint8)
# Lower boxes are specks. A 1 may be as narrow as its stroke, so width does not count.
SMALLEST_HEIGHT = 12
SIDE = 28
# The longer side of MNIST's digits is 20 of 28 pixels.
MARGIN_SHARE = (SIDE / 20 - 1) / 2
# A float file reads values in [0, 1]; a uint8 file reads the pixels.
PIXEL_SCALES: dict[str, float | None] = {"uint8": None, "float32": 1 / 255}


@dataclass(frozen=True)
class Candidate:
    """A digit, 0 to 9, and its box in pixels of the frame."""

    digit: int
    box: Box


class OtsuReader:
    """Another project's classifier behind that pipeline, in LiteRT; `name` and `sha256` identify its file."""

    def __init__(self, path: Path, num_threads: int = 1) -> None:
        """Load a `.tflite` file that reads uint8 or float32, [1, 28, 28] or [1, 28, 28, 1], and scores ten digits.

        Raises:
            BenchmarkError: The file cannot be read, is not such a file, or LiteRT is not installed.
        """
        content = _read(path)
        self.name, self.sha256 = path.name, hashlib.sha256(content).hexdigest()
        self._interpreter = _load(content, path, num_threads)
        read = self._interpreter.get_input_details()
        given = self._interpreter.get_output_details()[0]
        shape, dtype = tuple(read[0]["shape"].tolist()), read[0]["dtype"].__name__
        if len(read) != 1 or shape not in {(1, SIDE, SIDE), (1, SIDE, SIDE, 1)} or dtype not in PIXEL_SCALES:
            raise BenchmarkError(
                f"{path}: expected a model that reads uint8 or float32 [1, 28, 28] or [1, 28, 28, 1], got "
                f"{dtype} {list(shape)}. Choose another --peer."
            )
        if int(given["shape"].prod()) != 10:
            raise BenchmarkError(
                f"{path}: expected a model with ten scores, got outputs of {given['shape'].tolist()}. Choose "
                "another --peer."
            )
        self._input, self._output = read[0]["index"], given["index"]
        self._shape, self._dtype = shape, dtype

    def read(self, frame: NDArray[np.uint8]) -> list[Candidate]:
        """Read a gray frame, uint8 [height, width], dark ink on light paper; in no order."""
        ink = separate_ink(frame)
        return [Candidate(self.classify(frame_box(ink, box)), box) for box in find_boxes(ink)]

    def classify(self, image: NDArray[np.uint8]) -> int:
        """Return the likeliest digit of an image, uint8 [28, 28], 0 = paper."""
        self._interpreter.set_tensor(self._input, as_input(image, self._shape, self._dtype))
        self._interpreter.invoke()
        return int(self._interpreter.get_tensor(self._output).argmax())


def separate_ink(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Separate pixels darker than one threshold, closed: uint8 [height, width], 255 = ink, 0 = paper.

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
    Cybernetics 9 (1979).
    """
    _, ink = cv2.threshold(frame, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    return cv2.morphologyEx(ink, cv2.MORPH_CLOSE, CLOSING).astype(np.uint8, copy=False)


def find_boxes(ink: NDArray[np.uint8]) -> list[Box]:
    """Find the boxes of the outer contours that are not specks."""
    contours, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [Box(*cv2.boundingRect(contour)) for contour in contours]
    return [box for box in boxes if box.height >= SMALLEST_HEIGHT]


def frame_box(ink: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Frame the content of a box in the middle of a square with a margin: uint8 [28, 28]."""
    crop = ink[box.y : box.bottom, box.x : box.right]
    longer = max(crop.shape)
    margin = round(MARGIN_SHARE * longer)
    down, across = (longer - crop.shape[0]) // 2 + margin, (longer - crop.shape[1]) // 2 + margin
    square = cv2.copyMakeBorder(crop, down, down, across, across, cv2.BORDER_CONSTANT, value=0)  # pyright: ignore
    return cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def as_input(image: NDArray[np.uint8], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Convert an image [28, 28] to a model's input: unchanged pixels for `uint8`, [0, 1] for `float32`."""
    scale = PIXEL_SCALES[dtype]
    return (image if scale is None else image.astype(np.float32) * np.float32(scale)).reshape(shape)


def _read(path: Path) -> bytes:
    try:
        content = read_file(path, MOST_FILE_BYTES)
    except EdgeMnistError as error:
        raise BenchmarkError(str(error)) from error
    if identify_kind(content) not in {TFLITE, UNKNOWN} or not content:
        raise BenchmarkError(f"{path}: expected a .tflite model, {describe_mistake(content)}")
    return content


def _load(content: bytes, path: Path, num_threads: int) -> Any:
    """Load the file in this process, after a child process has loaded and run it safely."""
    runtime = RUNTIMES["litert"]
    if not runtime.installed:
        raise BenchmarkError(f"{path}: needs LiteRT, which is not installed. Run: pip install {runtime.package}")
    try:
        call_in_child(_try, content, limits_for(len(content)))
        return _make_interpreter(content, num_threads)
    except Exception as error:
        # The interpreter raises ValueError, RuntimeError or TypeError for a damaged file.
        raise BenchmarkError(
            f"{path}: expected a TFLite model, but LiteRT cannot load it ({first_line(error)})."
        ) from error


def _make_interpreter(content: bytes, num_threads: int) -> Any:
    with quiet_native_log():
        interpreter = importlib.import_module(RUNTIMES["litert"].module).Interpreter(
            model_content=content, num_threads=num_threads
        )
        interpreter.allocate_tensors()
    return interpreter


def _try(content: bytes) -> bytes:
    _make_interpreter(content, 1).invoke()
    return b""
