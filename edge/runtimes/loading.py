"""The first run of a model file that did not come with this package: in a child, within limits.

A damaged or hostile file can crash a native runtime, never end, or take all memory. One whose golden vectors passed in
a child is then loaded in the caller's own process, from the same bytes: see docs/decisions/0013.
"""

from typing import get_args

import msgspec

from ..bundle.card import ModelCardError, ModelFile, Precision
from ..bundle.folder import Bundle, list_shipped_hashes
from ..common.errors import RuntimeUnavailableError
from ..common.processes.child import ChildError, call_in_child, limits_for
from .classifiers import RUNTIMES, Classifier, Runtime, load_file
from .golden import check_golden, unpack_pixels


def load_classifier(bundle: Bundle, runtime: Runtime, precision: Precision, num_threads: int = 1) -> Classifier:
    """Load the bundle's file of this precision into a runtime, and hold it to its golden vectors.

    A file that did not come with this package is tried in a child process first, which takes as long as a start of the
    command does, once for each file and runtime.

    Raises:
        ValueError: No file has such a precision, or there are no such numbers of threads.
        ModelCardError: The bundle has no such file, it changed, or it does not compute what its card says.
        RuntimeUnavailableError: The runtime cannot be loaded, or cannot run the file.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"expected a precision among {', '.join(get_args(Precision))}, got {precision!r}.")
    if not isinstance(num_threads, int) or isinstance(num_threads, bool) or num_threads < 1:
        raise ValueError(f"expected num_threads to be a whole number from 1 on, got {num_threads!r}.")
    file = bundle.file(runtime.format, precision)
    content = bundle.read(file.record)
    check_in_child(content, file, runtime.name, bundle.export.golden_pixels)
    classifier = load_file(runtime, content, file, num_threads)
    check_golden(classifier.logits, file, unpack_pixels(bundle.export.golden_pixels), runtime.name)
    return classifier


class _Job(msgspec.Struct, frozen=True):
    """A file's bytes, what its card says of it, the name of the runtime, and the golden images as the card has them."""

    content: bytes
    file: ModelFile
    runtime: str
    golden_pixels: str


# What passed in a child of this process, by file, golden vectors and runtime.
_passed: set[tuple[str, str, int]] = set()


def check_in_child(content: bytes, file: ModelFile, runtime: str, golden_pixels: str) -> None:
    """Hold a file to its golden vectors in a child, unless it came with this package or has passed before.

    Args:
        content: The file, verified.
        file: What its card says of it.
        runtime: One of `RUNTIMES`.
        golden_pixels: The card's.

    Raises:
        ModelCardError: It does not compute what its card says; or it crashed, hung, or took more memory than it may.
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
            f"{file.record.name} on {runtime}: refused, it {error} when it was tried in a process of its own. "
            "Export the model again, or use one whose origin you know."
        ) from error
    _passed.add(key)


def _check(job: bytes) -> bytes:
    order = msgspec.msgpack.decode(job, type=_Job)
    classifier = load_file(RUNTIMES[order.runtime], order.content, order.file)
    check_golden(classifier.logits, order.file, unpack_pixels(order.golden_pixels), order.runtime)
    return b""
