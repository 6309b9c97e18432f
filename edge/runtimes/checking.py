"""Check a bundle on this machine: its golden vectors on every installed runtime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ..bundle.card import ModelCardError
from ..bundle.export_record import ModelFile
from ..bundle.folder import Bundle, open_bundle
from ..bundle.shipped import SHIPPED
from ..common.errors import RuntimeUnavailableError
from .loading import load_classifier
from .registry import RUNTIMES, Runtime

PASSED: Final = "passed"
FAILED: Final = "FAILED"
NOT_RUN: Final = "not run"


@dataclass(frozen=True)
class FileCheck:
    """The check of a file on a runtime.

    Attributes:
        file: Name of the model file.
        runtime: Name of the runtime.
        outcome: Whether the file computes the logits in its card; `not run` if the runtime is not available here.
        reason: Reason why it failed or was not run; empty if it passed.
    """

    file: str
    runtime: str
    outcome: Literal["passed", "FAILED", "not run"]
    reason: str = ""


def verify(bundle: Path | str | Bundle = SHIPPED) -> list[FileCheck]:
    """Check a bundle's hashes, and run the golden vectors of every file on every runtime of its format.

    Args:
        bundle: A bundle's folder, the name of a shipped one, or an open bundle, whose hashes were checked when it was
            opened.

    Raises:
        ArgumentError: It is none of these.
        ModelCardError: There is no card, the card is not valid, or a file is missing or changed.
    """
    opened = open_bundle(bundle)
    return [
        _check(opened, file, runtime)
        for file in opened.files
        for runtime in RUNTIMES.values()
        if runtime.format == file.format
    ]


def _check(bundle: Bundle, file: ModelFile, runtime: Runtime) -> FileCheck:
    name = file.record.name
    if not runtime.installed:
        return FileCheck(name, runtime.name, NOT_RUN, "not installed")
    try:
        load_classifier(bundle, runtime, file.precision)
    except RuntimeUnavailableError as error:
        return FileCheck(name, runtime.name, NOT_RUN, str(error))
    except ModelCardError as error:
        return FileCheck(name, runtime.name, FAILED, str(error))
    return FileCheck(name, runtime.name, PASSED)
