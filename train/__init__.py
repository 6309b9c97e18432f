"""Stage 1, train: a model of the zoo, in float32, on the backend and device that Keras uses."""

import contextlib
import importlib
import os
import sys

from ..edge.common.native_log import quiet_native_log
from ..edge.common.terminal.verbosity import announce_loading

# Silences TensorFlow's pages of start-up messages. Read at its first import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def import_keras() -> None:
    """Import Keras without its start-up messages. If it is missing, the code that needs it reports that.

    It takes seconds: call it after the arguments have been checked, before the first module that imports Keras.
    """
    if "keras" not in sys.modules:
        announce_loading("Keras")
    with quiet_native_log(), contextlib.suppress(ImportError):
        importlib.import_module("keras")
        # If TensorFlow is installed, Keras imports it when it first sees data, with any backend.
        importlib.import_module("tensorflow")
