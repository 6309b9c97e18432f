"""Stage 2, export: float and int8 TFLite and ONNX files of a Keras model, each verified against it."""

import contextlib
import importlib
import os

from ..edge.common.native_log import quiet_native_log

# The converters need TensorFlow underneath, whatever the model was trained on. Keras reads it when it is imported.
os.environ["KERAS_BACKEND"] = "tensorflow"
# Silences TensorFlow's pages of start-up messages. Read at its first import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up messages. If it is missing, the code that needs it reports that.

    It takes seconds: call it after the arguments have been checked, before the first module that imports Keras.
    """
    with quiet_native_log(), contextlib.suppress(ImportError):
        importlib.import_module("tensorflow")
