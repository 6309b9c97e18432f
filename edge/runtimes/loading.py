"""Run a model file from outside this package for the first time: in a child process, within limits.

A damaged or hostile file can crash a native runtime, never end, or take all memory. A file whose golden vectors passed
in a child is then loaded in the caller's own process, from the same bytes: see docs/decisions/0013.
"""

from typing import get_args

import msgspec

from ..bundle.card import ModelCardError
from ..bundle.contract import Precision
from ..bundle.export_record import ModelFile
from ..bundle.folder import Bundle, list_shipped_hashes
from ..common.errors import ArgumentError, RuntimeUnavailableError, check_choice
from ..common.processes.child import ChildError, call_in_child, limits_for
from .classifiers import LoadedModel
from .golden import check_golden, unpack_pixels
from .registry import RUNTIMES, Runtime, load_file


def load_classifier(bundle: Bundle, runtime: Runtime, precision: Precision, threads: int = 1) -> LoadedModel:
    """Load the bundle's file of this precision into a runtime and check it against its golden vectors.

    A file from outside this package is first tried in a child process, which takes as long as starting the command,
    once for each file and runtime.

    Raises:
        ArgumentError: There is no such precision, or the number of threads is not valid.
        ModelCardError: The bundle has no such file, it changed, or it does not compute what its card says.
        RuntimeUnavailableError: The runtime cannot be loaded, or cannot run the file.
    """
    check_choice("a precision", precision, get_args(Precision))
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ArgumentError(f"expected threads to be an integer of at least 1, got {threads!r}.")
    file = bundle.file(runtime.format, precision)
    content = bundle.read(file.record)
    check_in_child(content, file, runtime.name, bundle.export.golden_pixels)
    classifier = load_file(runtime, content, file, threads)
    check_golden(classifier.logits, file, unpack_pixels(bundle.export.golden_pixels), runtime.name)
    return classifier


class _Job(msgspec.Struct, frozen=True):
    """A file's bytes, its record in the card, the name of the runtime, and the golden images as in the card."""

    content: bytes
    file: ModelFile
    runtime: str
    golden_pixels: str


# Checks that passed in a child of this process, by file, golden vectors and runtime.
_passed: set[tuple[str, str, int]] = set()


def check_in_child(content: bytes, file: ModelFile, runtime: str, golden_pixels: str) -> None:
    """Check a file against its golden vectors in a child, unless it is part of this package or has passed before.

    Args:
        content: The file's verified bytes.
        file: The file's record in the card.
        runtime: One of `RUNTIMES`.
        golden_pixels: The golden images as in the card.

    Raises:
        ModelCardError: It does not compute what its card says, crashed, hung, or took more memory than its limit.
        RuntimeUnavailableError: The runtime cannot be loaded, or cannot run the file.
    """
    key = (file.record.sha256, runtime, hash((file, golden_pixels)))
    if file.record.sha256 in list_shipped_hashes() or key in _passed:
        return
    job = msgspec.msgpack.encode(_Job(content, file, runtime, golden_pixels))
    try:
        call_in_child(_check, job, limits_for(len(content)), raises=(ModelCardError, RuntimeUnavailableError))
    except ChildError as error:
        raise ModelCardError(
            f"{file.record.name} on {runtime}: refused, it {error} when it was tested in a separate process. "
            "Export the model again, or use one from a trusted source."
        ) from error
    _passed.add(key)


def _check(job: bytes) -> bytes:
    order = msgspec.msgpack.decode(job, type=_Job)
    classifier = load_file(RUNTIMES[order.runtime], order.content, order.file)
    check_golden(classifier.logits, order.file, unpack_pixels(order.golden_pixels), order.runtime)
    return b""
