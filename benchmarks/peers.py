"""Other projects' models, measured beside ours: what they read is said by whoever names them, never guessed.

They are loaded in a process that measures, and nowhere else: nobody knows what such a file does to a runtime.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.bundle import MOST_FILE_BYTES
from ..edge.card import NUM_CLASSES, Format
from ..edge.classifiers import RuntimeUnavailableError, wrap_interpreter
from ..edge.errors import EdgeMnistError
from ..edge.regular_files import read_file
from .job import PeerInput
from .results import Delegate
from .runtimes import make_interpreter

FORMATS: dict[str, Format] = {".tflite": "tflite", ".onnx": "onnx"}
# What an image may be for a peer, behind the number of images.
SHAPES = ((28, 28), (28, 28, 1), (1, 28, 28), (784,))


class PeerError(EdgeMnistError):
    """A peer cannot be measured at all; the message says which and why."""


@dataclass(frozen=True)
class Peer:
    """Another project's file, and what its input takes."""

    path: Path
    reads: PeerInput
    format: Format
    sha256: str
    size_bytes: int


def describe_peer(path: Path, reads: PeerInput) -> Peer:
    """Look at a file without loading it.

    Raises:
        PeerError: It is neither .tflite nor .onnx, or cannot be read.
    """
    if path.suffix not in FORMATS:
        raise PeerError(f"{path}: expected a .tflite or .onnx file.")
    try:
        content = read_file(path, MOST_FILE_BYTES)
    except EdgeMnistError as error:
        raise PeerError(str(error)) from error
    return Peer(path.resolve(), reads, FORMATS[path.suffix], hashlib.sha256(content).hexdigest(), len(content))


def load_peer(path: Path, reads: PeerInput, runtime: str, delegate: Delegate, num_threads: int) -> "LoadedPeer":
    """Load a peer into a runtime.

    Raises:
        RuntimeUnavailableError: It cannot be loaded, or is not a classifier of 28x28 pixels into ten digits.
    """
    try:
        content = read_file(path, MOST_FILE_BYTES)
        if runtime == "onnxruntime":
            loaded = _load_session(content, reads, num_threads)
        else:
            loaded = _load_interpreter(make_interpreter(runtime, content, delegate, num_threads), reads)
        loaded.sha256 = hashlib.sha256(content).hexdigest()
        return loaded
    except Exception as error:
        # Native packages raise what they like.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RuntimeUnavailableError(f"{runtime} cannot run {path.name}: {reason}") from error


class LoadedPeer:
    """A peer in its runtime: how an image is prepared, and what is then called. One at a time: more it may not take.

    Attributes:
        sha256: Of the bytes that were loaded.
    """

    sha256 = ""

    def __init__(
        self, prepare: Callable[[NDArray[np.uint8]], NDArray[Any]], call: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> None:
        self._prepare, self._call = prepare, call

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scores, whatever they are: only which is the largest is used."""
        scores = np.empty((len(images), NUM_CLASSES), np.float32)
        for i in range(len(images)):
            scores[i] = self._call(self._prepare(images[i : i + 1])).reshape(NUM_CLASSES)
        return scores

    def bare(self) -> Callable[[NDArray[np.uint8]], object]:
        """On images that were prepared before, so that preparing them is not counted."""
        call, prepared = self._call, _Remembered(self._prepare)
        return lambda image: call(prepared(image))


def _load_interpreter(interpreter: Any, reads: PeerInput) -> LoadedPeer:
    entrance = _only(interpreter.get_input_details(), "input")
    exits = interpreter.get_output_details()
    scores = _find_scores([(i, tuple(int(size) for size in one["shape"])) for i, one in enumerate(exits)])
    scale, zero_point = entrance["quantization"]
    shape = tuple(int(size) for size in entrance["shape"])
    prepare = _prepare(reads, shape, np.dtype(entrance["dtype"]), float(scale), int(zero_point))
    return LoadedPeer(prepare, wrap_interpreter(interpreter, scores))


def _load_session(content: bytes, reads: PeerInput, num_threads: int) -> LoadedPeer:
    # Without it, importing onnxruntime writes a device id into the user's cache and starts a telemetry thread.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    entrance, exits = _only(session.get_inputs(), "input"), session.get_outputs()
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}.get(entrance.type)
    if dtype is None:
        raise RuntimeUnavailableError(f"its input is {entrance.type}, expected float or uint8")
    scores = exits[_find_scores([(i, _close(one.shape)) for i, one in enumerate(exits)])].name
    prepare = _prepare(reads, _close(entrance.shape), np.dtype(dtype), 0.0, 0)
    return LoadedPeer(prepare, lambda inputs: session.run([scores], {entrance.name: inputs})[0])


def _close(shape: list[int | str | None]) -> tuple[int, ...]:
    """A shape for one image: what is left open has a name, or none."""
    return tuple(size if isinstance(size, int) else 1 for size in shape)


class _Remembered:
    """Prepares each image once; the timing goes through a hundred again and again."""

    def __init__(self, prepare: Callable[[NDArray[np.uint8]], NDArray[Any]]) -> None:
        self._prepare = prepare
        self._known: dict[int, tuple[NDArray[np.uint8], NDArray[Any]]] = {}

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        known = self._known.get(id(image))
        if known is None:
            # With the image itself, so that its id stays its own.
            known = self._known[id(image)] = (image, self._prepare(image))
        return known[1]


def _prepare(
    reads: PeerInput, shape: tuple[int, ...], dtype: np.dtype[Any], scale: float, zero_point: int
) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    """From an image, uint8 [1, 28, 28, 1], to what the peer's input takes.

    Raises:
        RuntimeUnavailableError: It takes something else than was said.
    """
    if shape[1:] not in SHAPES and shape not in SHAPES:
        raise RuntimeUnavailableError(f"its input is {list(shape)}, expected [N, 28, 28], with a channel, or [N, 784]")
    if reads == "uint8":
        if dtype != np.uint8:
            raise RuntimeUnavailableError(f"its input is {dtype}, not uint8: say what it reads with --peer-input")
        return lambda image: image.reshape(shape)
    divisor = np.float32(255 if reads == "float01" else 1)
    if dtype == np.float32:
        return lambda image: np.divide(image, divisor, dtype=np.float32).reshape(shape)
    if not scale:
        raise RuntimeUnavailableError(f"its input is {dtype}, not float32: say what it reads with --peer-input")
    limits = np.iinfo(dtype)

    def quantize(image: NDArray[np.uint8]) -> NDArray[Any]:
        steps = np.rint(image.astype(np.float32) / divisor / np.float32(scale)) + zero_point
        return steps.clip(limits.min, limits.max).astype(dtype).reshape(shape)

    return quantize


def _only(tensors: Any, what: str) -> Any:
    if len(tensors) != 1:
        raise RuntimeUnavailableError(f"it has {len(tensors)} {what}s, expected one")
    return tensors[0]


def _find_scores(outputs: list[tuple[int, tuple[int, ...]]]) -> int:
    """Which output has ten numbers, counted from 0."""
    for place, shape in outputs:
        if np.prod(shape) == NUM_CLASSES:
            return place
    raise RuntimeUnavailableError(f"its outputs are {[list(shape) for _, shape in outputs]}, none of ten scores")
