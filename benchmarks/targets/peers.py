"""Other projects' models, measured beside ours: the user states what they read, and it is never guessed.

They are loaded only in a process that measures, since such a file may do anything to a runtime.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import NUM_CLASSES, Format
from ...edge.bundle.folder import MOST_FILE_BYTES
from ...edge.common.errors import EdgeMnistError, RuntimeUnavailableError
from ...edge.common.files import read_file
from ...edge.common.kinds import ONNX, TFLITE, UNKNOWN, describe_mistake, identify_kind
from ...edge.inspection.onnx_data import identify_model, list_data_files
from ...edge.runtimes.classifiers import wrap_interpreter
from ..errors import BenchmarkError
from ..results.peer_inputs import parse_convention, scale_pixels
from ..results.schema import Delegate
from .engines import make_interpreter
from .job import PeerInterface

FORMATS: dict[str, Format] = {".tflite": "tflite", ".onnx": "onnx"}
KINDS = {".tflite": TFLITE, ".onnx": ONNX}
# The shapes of an image that a peer may read, after the number of images.
SHAPES = ((28, 28), (28, 28, 1), (1, 28, 28), (784,))


@dataclass(frozen=True)
class Peer:
    """Another project's file and its interface. Hash and size are those of all its weights, see `identify_model`."""

    path: Path
    interface: PeerInterface
    format: Format
    sha256: str
    size_bytes: int


def describe_peer(path: Path, reads: str, output: str | None = None) -> Peer:
    """Describe a file without loading it.

    Args:
        path: The file.
        reads: The convention of its input, see `peer_inputs`.
        output: The name of the output with its scores, if several have ten numbers.

    Raises:
        BenchmarkError: The file is neither .tflite nor .onnx, or it or its external weights cannot be read.
    """
    if path.suffix not in FORMATS:
        raise BenchmarkError(f"{path}: expected a .tflite or .onnx file.")
    try:
        content = read_file(path, MOST_FILE_BYTES)
    except EdgeMnistError as error:
        raise BenchmarkError(str(error)) from error
    if identify_kind(content) not in {KINDS[path.suffix], UNKNOWN} or not content:
        raise BenchmarkError(f"{path}: expected a {path.suffix} model, {describe_mistake(content)}")
    try:
        sha256, size_bytes = _identify(path, content)
    except EdgeMnistError as error:
        raise BenchmarkError(f"{path}: {error}") from error
    return Peer(path.absolute(), PeerInterface(reads, output), FORMATS[path.suffix], sha256, size_bytes)


def _identify(path: Path, content: bytes) -> tuple[str, int]:
    """Compute the SHA-256 and the size of a peer with all of its weights."""
    data_files = list_data_files(content) if FORMATS[path.suffix] == "onnx" else ()
    return identify_model(content, path.parent, data_files)


def load_peer(path: Path, interface: PeerInterface, runtime: str, delegate: Delegate, num_threads: int) -> "LoadedPeer":
    """Load a peer into a runtime.

    Raises:
        RuntimeUnavailableError: It cannot be loaded, or does not classify 28x28 pixels into ten digits.
    """
    try:
        content = read_file(path, MOST_FILE_BYTES)
        if runtime == "onnxruntime":
            loaded = _load_session(path, content, interface, num_threads)
        else:
            loaded = _load_interpreter(make_interpreter(runtime, content, delegate, num_threads), interface)
        loaded.sha256, _ = _identify(path, content)
        return loaded
    except Exception as error:
        # Native packages raise errors of any type.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RuntimeUnavailableError(f"{runtime} cannot run {path.name}: {reason}") from error


@dataclass(frozen=True)
class _PeerInput:
    """The input of a peer; a scale of 0 means that it is not quantized."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0


class LoadedPeer:
    """A peer in its runtime, with the preparation of an image. One image at a time: it may not accept more.

    Attributes:
        sha256: SHA-256 of the bytes that were loaded.
    """

    sha256 = ""

    def __init__(self, entrance: _PeerInput, reads: str, call: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        self._input, self._call = entrance, call
        self._prepare = _prepare(reads, entrance)

    def reading(self, reads: str) -> "LoadedPeer":
        """Return a peer that reads by another convention, in the same runtime.

        Raises:
            RuntimeUnavailableError: Its input cannot take that convention.
        """
        return LoadedPeer(self._input, reads, self._call)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return scores of any kind, [N, 10]: only the position of the largest is used."""
        scores = np.empty((len(images), NUM_CLASSES), np.float32)
        for i in range(len(images)):
            scores[i] = self._call(self._prepare(images[i : i + 1])).reshape(NUM_CLASSES)
        return scores

    def raw_call(self) -> Callable[[NDArray[np.uint8]], object]:
        """Return a call on images that were prepared before, so that the preparation is not timed."""
        call, prepared = self._call, _PreparedImages(self._prepare)
        return lambda image: call(prepared(image))


def _load_interpreter(interpreter: Any, interface: PeerInterface) -> LoadedPeer:
    entrance = _take_only(interpreter.get_input_details(), "input")
    outputs = [(one["name"], tuple(int(size) for size in one["shape"])) for one in interpreter.get_output_details()]
    scores = _find_scores(outputs, interface.output)
    scale, zero_point = entrance["quantization"]
    shape = tuple(int(size) for size in entrance["shape"])
    peer_input = _PeerInput(shape, np.dtype(entrance["dtype"]), float(scale), int(zero_point))
    return LoadedPeer(peer_input, interface.reads, wrap_interpreter(interpreter, scores))


def _load_session(path: Path, content: bytes, interface: PeerInterface, num_threads: int) -> LoadedPeer:
    # Without it, importing onnxruntime writes a device id into the user's cache and starts a telemetry thread.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    # Otherwise, weights outside the file would be searched in the current folder.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    entrance, outputs = _take_only(session.get_inputs(), "input"), session.get_outputs()
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}.get(entrance.type)
    if dtype is None:
        raise RuntimeUnavailableError(f"its input is {entrance.type}, expected float or uint8")
    scores = outputs[_find_scores([(one.name, _close_shape(one.shape)) for one in outputs], interface.output)].name
    peer_input = _PeerInput(_close_shape(entrance.shape), np.dtype(dtype))
    return LoadedPeer(peer_input, interface.reads, lambda inputs: session.run([scores], {entrance.name: inputs})[0])


def _close_shape(shape: list[int | str | None]) -> tuple[int, ...]:
    """Return the shape for one image: open dimensions, which have a name or nothing, become 1."""
    return tuple(size if isinstance(size, int) else 1 for size in shape)


class _PreparedImages:
    """A cache that prepares each image once; the timing uses a hundred images repeatedly."""

    def __init__(self, prepare: Callable[[NDArray[np.uint8]], NDArray[Any]]) -> None:
        self._prepare = prepare
        self._known: dict[int, tuple[NDArray[np.uint8], NDArray[Any]]] = {}

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        known = self._known.get(id(image))
        if known is None:
            # Stored with the image itself, so that its id stays unique.
            known = self._known[id(image)] = (image, self._prepare(image))
        return known[1]


def _prepare(reads: str, entrance: _PeerInput) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    """Make a function from an image, uint8 [1, 28, 28, 1], to what the peer's input takes.

    Raises:
        RuntimeUnavailableError: The input takes something else than the user stated.
    """
    shape, dtype, convention = entrance.shape, entrance.dtype, parse_convention(reads)
    if shape[1:] not in SHAPES and shape not in SHAPES:
        raise RuntimeUnavailableError(f"its input is {list(shape)}, expected [N, 28, 28], with a channel, or [N, 784]")
    if (convention.scaling is None and dtype != np.uint8) or (
        convention.scaling is not None and dtype != np.float32 and not entrance.scale
    ):
        expected = "uint8" if convention.scaling is None else "float32"
        raise RuntimeUnavailableError(f"its input is {dtype}, not {expected}; state its input with --peer-input")
    if convention.scaling is None or dtype == np.float32:
        return lambda image: scale_pixels(image, convention).reshape(shape)
    limits = np.iinfo(dtype)

    def quantize(image: NDArray[np.uint8]) -> NDArray[Any]:
        steps = np.rint(scale_pixels(image, convention) / np.float32(entrance.scale)) + entrance.zero_point
        return steps.clip(limits.min, limits.max).astype(dtype).reshape(shape)

    return quantize


def _take_only(tensors: Any, what: str) -> Any:
    if len(tensors) != 1:
        raise RuntimeUnavailableError(f"it has {len(tensors)} {what}s, expected 1")
    return tensors[0]


def _find_scores(outputs: Sequence[tuple[str, tuple[int, ...]]], wanted: str | None) -> int:
    """Find which of the outputs, given by name and shape, has the ten scores, counted from 0.

    Raises:
        RuntimeUnavailableError: No output has, several have and none of them is named, or the named one has not.
    """
    names = [name for name, _ in outputs]
    tens = [place for place, (_, shape) in enumerate(outputs) if np.prod(shape) == NUM_CLASSES]
    if wanted is not None:
        tens = [place for place in tens if names[place] == wanted]
    if len(tens) == 1:
        return tens[0]
    shown = ", ".join(f"{name} {list(shape)}" for name, shape in outputs)
    if wanted is not None:
        raise RuntimeUnavailableError(
            f"--peer-output {wanted}: its outputs are {shown}; expected an output with ten scores"
        )
    if not tens:
        raise RuntimeUnavailableError(
            f"its outputs are {[list(shape) for _, shape in outputs]}, but none has ten scores"
        )
    raise RuntimeUnavailableError(f"{len(tens)} of its outputs have ten numbers, {shown}; name one with --peer-output")
