"""Stage 2, export: float and int8 TFLite and ONNX files of a Keras model, each verified against it.

Importing it brings in TensorFlow, so only the command that exports does.
"""

import contextlib
import os

from ..edge.common.native_log import quiet_native_log

# The converters need TensorFlow underneath, whatever the model was trained on.
os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow prints pages of start-up notes otherwise. Read when it is first imported, like the line above.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Help does without it; whatever needs it imports it again, and says that it is missing.
with quiet_native_log(), contextlib.suppress(ImportError):
    import tensorflow as tensorflow
