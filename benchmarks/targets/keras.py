"""The Keras model that the files were made from, as a target: the cost of deployment without any export.

Called through `predict_on_batch`, which compiles the model once; calling it directly takes many times as long.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...edge.bundle.contract import Convention
from ...edge.bundle.folder import Bundle
from ...edge.common.errors import RuntimeUnavailableError
from ...edge.runtimes.keras_files import load_here

# The scaling that a model reads instead of raw pixels: factor and offset.
_RANGES = {"uint8": None, "0-1": (1 / 255, 0.0), "0-255": (1.0, 0.0), "-1-1": (2 / 255, -1.0)}


class KerasClassifier:
    """A loaded Keras model."""

    def __init__(self, model: Any, convention: Convention) -> None:
        self._model = model
        self._range = _RANGES[convention.pixels]
        self._shape = tuple(model.inputs[0].shape[1:])

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return scores, float32 [N, 10]: logits, or the probabilities of a model that ends in a softmax."""
        return np.asarray(self._model.predict_on_batch(self._prepare(images)), np.float32)

    def raw_call(self) -> Callable[[NDArray[np.uint8]], object]:
        """Return Keras's own call, without this package's layer."""
        predict, prepare = self._model.predict_on_batch, self._prepare
        return predict if self._range is None else lambda image: predict(prepare(image))

    def _prepare(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        shaped = images.reshape(-1, *self._shape)
        if self._range is None:
            return shaped
        factor, offset = self._range
        return shaped * np.float32(factor) + np.float32(offset)


def load_keras(bundle: Bundle, on_gpu: bool) -> KerasClassifier:
    """Load the bundle's Keras model; the environment sets its number of threads.

    Raises:
        RuntimeUnavailableError: The file changed, or Keras cannot be loaded, cannot run the model, or finds no GPU.
    """
    try:
        keras = import_module("keras")
        if on_gpu and not _count_gpus(keras):
            raise RuntimeUnavailableError(f"Keras on {keras.config.backend()} finds no GPU")
        model = load_here(bundle.read(bundle.card.source))
    except RuntimeUnavailableError:
        raise
    except Exception as error:
        # A missing backend or a library built for another one raises errors of any type.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RuntimeUnavailableError(f"keras cannot run {bundle.card.source.name}: {reason}") from error
    return KerasClassifier(model, bundle.card.convention)


def describe_version() -> str:
    """Return the versions of Keras and of its backend."""
    keras = import_module("keras")
    name = keras.config.backend()
    return f"{keras.__version__} on {name} {import_module(name).__version__}"


def thread_environment(threads: int, on_gpu: bool) -> dict[str, str]:
    """Return the variables that limit Keras's backends to N threads, and hide GPUs unless `on_gpu`."""
    count = str(threads)
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    hidden = {} if on_gpu else {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return {**dict.fromkeys(names, count), **hidden, "TF_CPP_MIN_LOG_LEVEL": "2"}


def has_gpu(root: Path = Path("/")) -> bool:
    """Whether there may be a GPU that Keras uses; only loading Keras can confirm it."""
    return (root / "dev/nvidia0").exists() or (root / "dev/kfd").exists()


def _count_gpus(keras: Any) -> int:
    backend = keras.config.backend()
    if backend == "tensorflow":
        return len(import_module("tensorflow").config.list_physical_devices("GPU"))
    if backend == "jax":
        return sum(device.platform != "cpu" for device in import_module("jax").devices())
    return int(import_module("torch").cuda.device_count())
