"""The first run of a model file that did not come with this package: in a child, within limits.

A damaged or hostile file can crash a native runtime, never end, or take all memory. One whose golden vectors passed in
a child is then loaded in the caller's own process, from the same bytes: see docs/decisions/0013.
"""

import msgspec

from .bundle import list_shipped_hashes
from .card import ModelCardError, ModelFile
from .child import ChildError, call_in_child, limits_for
from .errors import RuntimeUnavailableError
from .golden import check_golden, unpack_pixels


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
    from .classifiers import RUNTIMES, load_file  # noqa: PLC0415 - they use this module

    order = msgspec.msgpack.decode(job, type=_Job)
    classifier = load_file(RUNTIMES[order.runtime], order.content, order.file)
    check_golden(classifier.logits, order.file, unpack_pixels(order.golden_pixels), order.runtime)
    return b""
