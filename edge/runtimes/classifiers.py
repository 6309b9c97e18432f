"""Classifiers behind one protocol: raw pixels in, float logits out, independent of the file's own types."""

import importlib
import importlib.util
import os
import re
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..bundle.card import ModelCardError
from ..bundle.contract import IMAGE_SHAPE, PRECISION_KEY
from ..bundle.export_record import ModelFile, Tensor
from ..common.arrays import check_images
from ..common.native_log import quiet_native_log

# Without it, importing onnxruntime writes a device id into the user's cache and starts a telemetry thread.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class LoadedModel(Protocol):
    """A model file loaded into a runtime."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify raw pixels, uint8 [N, 28, 28, 1] with 0 = paper: logits, float32 [N, 10].

        Threads may call it at the same time.

        Raises:
            ValueError: The images have another type or shape.
        """
        ...

    def raw_call(self) -> Callable[[NDArray[np.uint8]], object]:
        """Return the runtime's own call on one image, uint8 [1, 28, 28, 1], for one thread at a time.

        The time that `logits` takes beyond it is the overhead of this layer.
        """
        ...


Call = Callable[[NDArray[Any]], NDArray[Any]]


class InterpreterClassifier:
    """A classifier on LiteRT or tflite-runtime, which share one API.

    An interpreter serves one thread at a time: with two, digits get mixed up without an error. A thread takes an idle
    interpreter or makes another one (0.25 MB, a millisecond), so there are never more than threads that classify at the
    same time. A single one behind a lock took as much processor time, and threads would wait for each other; a process
    that was forked meanwhile would wait for ever.

    Images are run one at a time, so that memory does not grow with their number. Resizing the input to each
    frame's digits instead was 4 to 13 % faster (int8 `standard`, 6 to 25 digits, one thread): tens of microseconds.
    """

    def __init__(self, make_interpreter: Callable[[], Any], file: ModelFile) -> None:
        """Make the first interpreter and compare it with the card.

        Args:
            make_interpreter: Function that makes another interpreter from the same bytes.
            file: The file's record in the card.

        Raises:
            ModelCardError: The file declares another input or output than its card.
        """
        self._make = make_interpreter
        self._output = file.output
        # Only the first interpreter writes notes: holding them back later would also hold back other threads' messages.
        with quiet_native_log():
            interpreter = make_interpreter()
            interpreter.allocate_tensors()
        details = interpreter.get_output_details()[0]
        check_tensor(file, file.input, *_interface(interpreter.get_input_details()[0]))
        check_tensor(file, file.output, *_interface(details))
        # Taking from a list and adding to it cannot be interrupted by another thread, and a fork finds no lock held.
        self._idle = [wrap_interpreter(interpreter)]

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify images one at a time, see `LoadedModel`."""
        check_images(images, IMAGE_SHAPE)
        call = self._take()
        try:
            return self._classify(call, images)
        finally:
            self._idle.append(call)

    def raw_call(self) -> Callable[[NDArray[np.uint8]], object]:
        """Return the interpreter's own call, see `LoadedModel`."""
        return self._take()

    def _take(self) -> Call:
        """Take an interpreter's call for this thread alone."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._make_call()

    def _make_call(self) -> Call:
        interpreter = self._make()
        interpreter.allocate_tensors()
        return wrap_interpreter(interpreter)

    def _classify(self, call: Call, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Returning a single result without concatenation saves a third of this layer's overhead.
        if len(images) == 1:
            return dequantize(call(images), self._output)
        outputs = np.empty((len(images), self._output.shape[-1]), self._output.dtype)
        for i in range(len(images)):
            outputs[i] = call(images[i : i + 1])[0]
        return dequantize(outputs, self._output)


def wrap_interpreter(interpreter: Any, output: int = 0) -> Call:
    """Make a function of an interpreter: it takes the first input's values and returns this output's values."""
    entrance: int = interpreter.get_input_details()[0]["index"]
    exit_: int = interpreter.get_output_details()[output]["index"]

    def call(inputs: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(entrance, inputs)
        interpreter.invoke()
        return interpreter.get_tensor(exit_)

    return call


class OnnxRuntimeClassifier:
    """A classifier on ONNX Runtime and the CPU; a whole batch is run at once."""

    def __init__(self, session: Any, file: ModelFile) -> None:
        check_precision(file, session.get_modelmeta().custom_metadata_map.get(PRECISION_KEY))
        self._session = session
        self._file = file

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify a batch of images, see `LoadedModel`."""
        check_images(images, IMAGE_SHAPE)
        outputs = self._session.run([self._file.output.name], {self._file.input.name: images})[0]
        return dequantize(outputs, self._file.output)

    def raw_call(self) -> Callable[[NDArray[np.uint8]], object]:
        """Return the session's own call, see `LoadedModel`."""
        session, entrance, exits = self._session, self._file.input.name, [self._file.output.name]
        return lambda image: session.run(exits, {entrance: image})


def check_precision(file: ModelFile, declared: str | None) -> None:
    """Compare the precision in a file's own metadata with that in its card.

    Raises:
        ModelCardError: They differ.
    """
    if declared != file.precision:
        raise ModelCardError(
            f"{file.record.name}: the card says {file.precision}, but the file itself says {declared}. Export the "
            "model again."
        )


def check_tensor(file: ModelFile, tensor: Tensor, dtype: str, scale: float | None, zero_point: int | None) -> None:
    """Compare the input or output that a file declares with its card.

    Raises:
        ModelCardError: They differ, for example because files of two precisions were swapped.
    """
    if (dtype, scale, zero_point) != (tensor.dtype, tensor.scale, tensor.zero_point):
        raise ModelCardError(
            f"{file.record.name}: its {tensor.name} are {dtype} with scale {scale} and zero point {zero_point}, the "
            f"card says {tensor.dtype} with {tensor.scale} and {tensor.zero_point}. Export the model again."
        )


def _interface(details: dict[str, Any]) -> tuple[str, float | None, int | None]:
    """Return type, scale and zero point of an interpreter's tensor; a scale of 0 means that it is not quantized."""
    scale, zero_point = details["quantization"]
    return details["dtype"].__name__, float(scale) or None, int(zero_point) if scale else None


def dequantize(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float32]:
    """Dequantize a tensor's integers: (q - zero_point) * scale; floats are returned unchanged.

    Source: LiteRT 8-bit quantization specification.
    """
    if tensor.scale is None or tensor.zero_point is None:
        return values.astype(np.float32, copy=False)
    return (values.astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)


# The metadata of our TFLite files are JSON without spaces; no runtime returns them, but a search finds them.
_DECLARED_PRECISION = re.compile(rb'"' + re.escape(PRECISION_KEY).encode() + rb'":"(\w+)"')


def load_interpreter(module: str, content: bytes, file: ModelFile, num_threads: int) -> LoadedModel:
    """Load a TFLite file with the `Interpreter` of this module.

    Raises:
        ModelCardError: The file declares another precision, input or output than its card.
    """
    declared = _DECLARED_PRECISION.search(content)
    check_precision(file, declared[1].decode("ascii", "replace") if declared else None)
    interpreter_class = importlib.import_module(module).Interpreter
    return InterpreterClassifier(lambda: interpreter_class(model_content=content, num_threads=num_threads), file)


def load_onnxruntime(module: str, content: bytes, file: ModelFile, num_threads: int) -> LoadedModel:
    """Load an ONNX file with ONNX Runtime.

    Raises:
        ModelCardError: The file declares another precision than its card, or keeps weights in other files.
    """
    onnxruntime = importlib.import_module(module)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    # A bundle's file holds all of its weights. Without this, external weights would be read from the current folder.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        if "external data" in str(error).lower():
            raise ModelCardError(
                f"{file.record.name}: keeps weights in other files, but a model file of a bundle must hold all "
                "its weights. Export the model again."
            ) from error
        raise
    return OnnxRuntimeClassifier(session, file)
