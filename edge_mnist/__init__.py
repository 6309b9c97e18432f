"""Handwritten digits on small machines: train, export, read and measure quantized models.

Every name in `__all__` is public, and imported when it is first used. All other names are private to the project.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

    from .benchmarks.measuring.run import benchmark as benchmark
    from .benchmarks.results.schema import Results as Results
    from .edge.bundle.card import ModelCard as ModelCard
    from .edge.bundle.folder import Bundle as Bundle
    from .edge.bundle.folder import open_bundle as open_bundle
    from .edge.bundle.shipped import SHIPPED as SHIPPED
    from .edge.cameras.camera import CameraOptions as CameraOptions
    from .edge.cameras.factory import open_camera as open_camera
    from .edge.common.errors import EdgeMnistError as EdgeMnistError
    from .edge.live.events import Sighting as Sighting
    from .edge.live.loop import LiveLoop as LiveLoop
    from .edge.live.settings import LiveSettings as LiveSettings
    from .edge.live.sink_thread import Sink as Sink
    from .edge.media.pictures import read_gray as read_gray
    from .edge.media.pictures import read_rgb as read_rgb
    from .edge.reading.bulk.batches import BatchReader as BatchReader
    from .edge.reading.ink.shapes import Box as Box
    from .edge.reading.reader import Digit as Digit
    from .edge.reading.reader import Reader as Reader
    from .edge.reading.reader import Reading as Reading
    from .edge.runtimes.checking import FileCheck as FileCheck
    from .edge.runtimes.checking import verify as verify
    from .edge.runtimes.prediction import Classifier as Classifier
    from .edge.runtimes.prediction import Prediction as Prediction
    from .edge.runtimes.registry import RUNTIMES as RUNTIMES
    from .edge.sinks.annotate import annotate as annotate
    from .export.run import export as export

_HOMES = {
    "BatchReader": "edge.reading.bulk.batches",
    "Box": "edge.reading.ink.shapes",
    "Bundle": "edge.bundle.folder",
    "CameraOptions": "edge.cameras.camera",
    "Classifier": "edge.runtimes.prediction",
    "Digit": "edge.reading.reader",
    "EdgeMnistError": "edge.common.errors",
    "FileCheck": "edge.runtimes.checking",
    "LiveLoop": "edge.live.loop",
    "LiveSettings": "edge.live.settings",
    "ModelCard": "edge.bundle.card",
    "Prediction": "edge.runtimes.prediction",
    "RUNTIMES": "edge.runtimes.registry",
    "Reader": "edge.reading.reader",
    "Reading": "edge.reading.reader",
    "Results": "benchmarks.results.schema",
    "SHIPPED": "edge.bundle.shipped",
    "Sighting": "edge.live.events",
    "Sink": "edge.live.sink_thread",
    "annotate": "edge.sinks.annotate",
    "benchmark": "benchmarks.measuring.run",
    "open_bundle": "edge.bundle.folder",
    "open_camera": "edge.cameras.factory",
    "read_gray": "edge.media.pictures",
    "read_rgb": "edge.media.pictures",
    "verify": "edge.runtimes.checking",
}

__all__ = [
    "RUNTIMES",
    "SHIPPED",
    "BatchReader",
    "Box",
    "Bundle",
    "CameraOptions",
    "Classifier",
    "Digit",
    "EdgeMnistError",
    "FileCheck",
    "LiveLoop",
    "LiveSettings",
    "ModelCard",
    "Prediction",
    "Reader",
    "Reading",
    "Results",
    "Sighting",
    "Sink",
    "__version__",
    "annotate",
    "benchmark",
    "export",
    "open_bundle",
    "open_camera",
    "read_gray",
    "read_rgb",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it."""
    if name == "__version__":
        version = import_module("importlib.metadata").version
        value: object = version("edge-mnist")
    elif name == "export":
        # The package itself, which can be called: it would take the place of a function of this name.
        value = import_module(".export", __name__)
    elif name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
