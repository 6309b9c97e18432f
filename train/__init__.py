"""Stage 1, train: a model of the zoo, in float32, on whatever backend and device Keras finds."""

import contextlib
import os

from ..edge.common.native_log import quiet_native_log

# TensorFlow prints pages of start-up notes otherwise. Read when it is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with quiet_native_log(), contextlib.suppress(ImportError):
    import keras as keras

    # Where TensorFlow is installed, Keras imports it when it first sees data, whatever the backend.
    import tensorflow as tensorflow
