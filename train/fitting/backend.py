"""Compilation of steps and delivery of batches: on TensorFlow, Keras's defaults cost up to half of the time.

tf.data's autotuner (TensorFlow 2.21) looks at a pipeline after 10 ms, 20 ms, 40 ms and so on; closing a pipeline waits
for the next look, so that an epoch takes 5.12, 10.24, 20.48 ... seconds. And on a CPU, XLA's convolutions are no faster
than oneDNN's, in wide networks slower. Measured in docs/decisions/0010-epochs-that-end-when-they-end.md.
"""

from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray


def use_xla() -> Literal["auto", False]:
    """Choose the best value of Keras's `jit_compile` for this backend and device."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf  # noqa: PLC0415 - only where it is the backend

    return "auto" if tf.config.list_logical_devices("GPU") else False


def in_batches(batch_size: int, inputs: NDArray[Any], targets: NDArray[Any] | None = None) -> dict[str, Any]:
    """Make keywords for Keras's `fit` or `predict`: these rows in this order, in batches."""
    if keras.backend.backend() != "tensorflow":
        return {"x": inputs, "batch_size": batch_size, **({} if targets is None else {"y": targets})}
    import tensorflow as tf  # noqa: PLC0415 - only where it is the backend

    options = tf.data.Options()
    options.autotune.enabled = False
    # With several devices, each takes its part of every batch; there are no files to distribute.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    tensors = [tf.constant(array) for array in (inputs, targets) if array is not None]

    def cut(start: Any) -> Any:
        parts = [tensor[start : start + batch_size] for tensor in tensors]
        return parts[0] if targets is None else tuple(parts)

    # Cuts out whole batches: taking rows one by one and batching them again slows small networks down.
    starts = tf.data.Dataset.range(0, len(inputs), batch_size)
    return {"x": starts.map(cut).prefetch(2).with_options(options)}


def predict_batches(model: Any, pixels: NDArray[np.uint8], batch_size: int) -> NDArray[np.float32]:
    """Run a model on images, uint8 [N, 28, 28, 1], and return its output for all, float32 [N, ...]."""
    if use_xla() is False:
        model.jit_compile = False
    return model.predict(**in_batches(batch_size, pixels), verbose=0).astype(np.float32)
