"""Stage 1, train: a model of the zoo, in float32, on the backend and device that Keras uses."""

import contextlib
import os

from ..edge.common.native_log import quiet_native_log

# Silences TensorFlow's pages of start-up messages. Read at its first import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with quiet_native_log(), contextlib.suppress(ImportError):
    import keras as keras

    # If TensorFlow is installed, Keras imports it when it first sees data, with any backend.
    import tensorflow as tensorflow
