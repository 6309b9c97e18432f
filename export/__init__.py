"""Stage 2, export: float and int8 TFLite and ONNX files of a Keras model, each verified against it.

Importing this package imports TensorFlow, so only the command that exports does it.
"""

import contextlib
import os

from ..edge.common.native_log import quiet_native_log

# The converters need TensorFlow underneath, whatever the model was trained on.
os.environ["KERAS_BACKEND"] = "tensorflow"
# Silences TensorFlow's pages of start-up messages. Read at its first import, like the line above.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# `--help` works without TensorFlow; code that needs it imports it again and reports that it is missing.
with quiet_native_log(), contextlib.suppress(ImportError):
    import tensorflow as tensorflow
