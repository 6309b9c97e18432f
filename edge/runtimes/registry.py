"""The runtimes by name: which format each runs, whether it is installed, and how it loads a file.

Each runtime is imported only when it is used, and receives the file's verified bytes, never its path.
"""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..bundle.card import ModelCardError
from ..bundle.contract import Format
from ..bundle.export_record import ModelFile
from ..common.errors import ArgumentError, RuntimeUnavailableError
from ..common.machine import find_version
from .classifiers import LoadedModel, load_interpreter, load_onnxruntime


@dataclass(frozen=True)
class Runtime:
    """A runtime and the model format that it runs.

    Attributes:
        name: Value of `--runtime`.
        format: Format of the files that it reads.
        package: Name of the package to install, as in the package index.
        module: Name of the module to import.
        load: Function that makes a classifier from the module's name, a file's bytes, its record in the card, and a
            thread count.
        counts_as_tensorflow: Whether its versions are TensorFlow's, which files state as their minimum.
    """

    name: str
    format: Format
    package: str
    module: str
    load: Callable[[str, bytes, ModelFile, int], LoadedModel]
    counts_as_tensorflow: bool = False

    @property
    def installed(self) -> bool:
        """Whether the module can be found; nothing is imported."""
        return importlib.util.find_spec(self.module.partition(".")[0]) is not None

    @property
    def install_hint(self) -> str:
        """The command that installs it, or why it cannot be installed here."""
        if self.counts_as_tensorflow and not np.__version__.startswith("1."):
            return (
                f"it needs numpy below 2, and {np.__version__} is installed: `edge-mnist benchmark --old-runtime` "
                "measures it in a separate environment"
            )
        return f"pip install {self.package}"

    @property
    def version(self) -> str:
        """The version of the installed package, or of another that provides the module, as onnxruntime-gpu does."""
        return find_version(self.package)


# In order of preference: the fastest int8 kernels first.
RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        Runtime("litert", "tflite", "ai-edge-litert", "ai_edge_litert.interpreter", load_interpreter),
        Runtime("tflite-runtime", "tflite", "tflite-runtime", "tflite_runtime.interpreter", load_interpreter, True),
        Runtime("onnxruntime", "onnx", "onnxruntime", "onnxruntime", load_onnxruntime),
    )
}


def choose_runtime(name: str | None) -> Runtime:
    """Choose the named runtime, or the first installed one in order of preference.

    Raises:
        ArgumentError: No runtime has this name.
        RuntimeUnavailableError: It is not installed, or no runtime is.
    """
    if name is None:
        for runtime in RUNTIMES.values():
            if runtime.installed:
                return runtime
        raise RuntimeUnavailableError("No runtime is installed. Run: pip install ai-edge-litert")
    if name not in list(RUNTIMES):
        raise ArgumentError(
            f"expected a runtime among {', '.join(RUNTIMES)}, or None for the first installed, got {name!r}."
        )
    runtime = RUNTIMES[name]
    if not runtime.installed:
        raise RuntimeUnavailableError(f"{name} is not installed: {runtime.install_hint}.")
    return runtime


def load_file(runtime: Runtime, content: bytes, file: ModelFile, num_threads: int = 1) -> LoadedModel:
    """Load a file's bytes into a runtime.

    Args:
        runtime: Runtime that runs the file.
        content: The file's verified bytes.
        file: The file's record in the card.
        num_threads: Threads the runtime may use for one inference.

    Raises:
        ModelCardError: The file declares another input or output than its card.
        RuntimeUnavailableError: The runtime cannot be loaded, is too old, or cannot run the file.
    """
    _check_age(runtime, file)
    try:
        return runtime.load(runtime.module, content, file, num_threads)
    except ModelCardError:
        raise
    except Exception as error:
        # A missing system library, another numpy, an operator too new: native packages raise any exception, and
        # ONNX Runtime's exceptions derive from Exception alone.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if runtime.counts_as_tensorflow and isinstance(error, (SystemError, ImportError)):
            reason = f"it was built for a numpy other than {np.__version__} ({reason})"
        raise RuntimeUnavailableError(f"{runtime.name} cannot run {file.record.name}: {reason}") from error


def _check_age(runtime: Runtime, file: ModelFile) -> None:
    """Refuse a file whose operators are newer than the runtime, whose own message is hard to understand."""
    if not runtime.counts_as_tensorflow or file.min_runtime is None or not runtime.installed:
        return
    if _numbers(runtime.version) < _numbers(file.min_runtime):
        raise RuntimeUnavailableError(
            f"{runtime.name} {runtime.version} is too old for {file.record.name}, whose operators need "
            f"{file.min_runtime}: use ai-edge-litert, or a file of another precision."
        )


def _numbers(version_: str) -> tuple[int, ...]:
    """Split 2.17.0 into (2, 17, 0), so that it compares as numbers do."""
    return tuple(int(part) for part in re.findall(r"\d+", version_)[:3])
