"""Every engine that a benchmark can measure: the runtimes of `edge`, and those that only a benchmark needs.

TensorFlow and Keras are imported only by the process that measures them.
"""

import warnings
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from ...edge.bundle.export_record import ModelFile
from ...edge.common.native_log import quiet_native_log
from ...edge.runtimes.classifiers import InterpreterClassifier, LoadedModel
from ...edge.runtimes.registry import RUNTIMES, Runtime
from ..results.schema import Delegate, RowFormat


@dataclass(frozen=True)
class Engine:
    """A runtime as the benchmark describes it.

    Attributes:
        name: The name in reports.
        format: The format of the files that it runs.
        packages: The packages that may contain it, by their names in the package index, the usual one first.
        module: The module to look for, without importing it; empty if it is not a Python module.
        delegates: The delegates that it is measured with.
        takes_threads: Whether it is measured on all processors, too.
        is_heavy: Whether it takes seconds to import, so that a quick run leaves it out.
        extra: The extra of this project that installs it; empty if its package has to be installed by name.
    """

    name: str
    format: RowFormat
    packages: tuple[str, ...]
    module: str
    delegates: tuple[Delegate, ...] = ("default",)
    takes_threads: bool = False
    is_heavy: bool = False
    extra: str = ""

    @property
    def installed(self) -> bool:
        """Whether the module can be found in this environment."""
        return bool(self.module) and find_spec(self.module) is not None

    @property
    def version(self) -> str | None:
        """The version of the package in this environment; None if it is not installed."""
        for package in self.packages:
            try:
                return version(package)
            except PackageNotFoundError:
                continue
        return None

    @property
    def install_hint(self) -> str:
        """The command that installs it."""
        return f"pip install 'edge-mnist[{self.extra}]'" if self.extra else f"pip install {self.packages[0]}"


# Runs in a browser and uses no package of this environment, see browser.py.
WEB_RUNTIME = "onnxruntime-web"
TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-aarch64")
ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "litert", "tflite", ("ai-edge-litert",), "ai_edge_litert", ("default", "none"), takes_threads=True
        ),
        Engine("tflite-runtime", "tflite", ("tflite-runtime",), "tflite_runtime"),
        Engine("tf.lite", "tflite", TENSORFLOW, "tensorflow", is_heavy=True, extra="train"),
        Engine("onnxruntime", "onnx", ("onnxruntime",), "onnxruntime", takes_threads=True, extra="onnx"),
        Engine(WEB_RUNTIME, "onnx", (WEB_RUNTIME,), "", is_heavy=True),
        Engine("keras", "keras", ("keras",), "keras", is_heavy=True, extra="train"),
        Engine("keras-gpu", "keras", ("keras",), "keras", is_heavy=True, extra="train"),
    )
}  # fmt: skip


def find_runtime(name: str, delegate: Delegate) -> Runtime:
    """Return the runtime that loads a bundle's file, with or without its default delegate."""
    if name == "tf.lite":
        return Runtime(name, "tflite", "tensorflow", "tensorflow", _load_tf_lite)
    runtime = RUNTIMES[name]
    return replace(runtime, load=_load_without_delegate) if delegate == "none" else runtime


def make_interpreter(name: str, content: bytes, delegate: Delegate, num_threads: int) -> Any:
    """Make an allocated interpreter of LiteRT, tflite-runtime or tf.lite.

    Raises:
        Exception: The interpreter rejects the file, with an error of any type.
    """
    is_tensorflow = name == "tf.lite"
    module = import_module("tensorflow").lite if is_tensorflow else import_module(RUNTIMES[name].module)
    options: dict[str, Any] = {}
    if delegate == "none":
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with quiet_native_log(), warnings.catch_warnings():
        # tf.lite warns of its deprecation each time; that is why LiteRT is measured beside it.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
        interpreter = module.Interpreter(model_content=content, num_threads=num_threads, **options)
        interpreter.allocate_tensors()
    return interpreter


def _load_without_delegate(module: str, content: bytes, file: ModelFile, num_threads: int) -> LoadedModel:
    name = next(runtime.name for runtime in RUNTIMES.values() if runtime.module == module)
    return InterpreterClassifier(lambda: make_interpreter(name, content, "none", num_threads), file)


def _load_tf_lite(_module: str, content: bytes, file: ModelFile, num_threads: int) -> LoadedModel:
    return InterpreterClassifier(lambda: make_interpreter("tf.lite", content, "default", num_threads), file)
