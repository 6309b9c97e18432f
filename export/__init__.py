"""Stage 2, export: float and int8 TFLite and ONNX files of a Keras model, each verified against it.

`edge_mnist.export(model)` exports: the package has the name of its function, so it can be called. See `run.export`.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

# The converters need TensorFlow underneath, whatever the model was trained on. Keras reads it when it is imported.
os.environ["KERAS_BACKEND"] = "tensorflow"
# Silences TensorFlow's pages of start-up messages. Read at its first import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class ExportPackage(ModuleType):
    """This package, which can be called."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Export a model, see `run.export`."""
        return import_module(".run", __name__).export(*arguments, **options)


sys.modules[__name__].__class__ = ExportPackage
