"""Run one file on one runtime in its own process, so that runs share nothing and leave nothing behind.

Also started as `python -m edge_mnist.edge.runtimes.isolated` with a job as JSON on standard input.
"""

import sys
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..bundle.export_record import ModelFile
from ..common.errors import EdgeMnistError, RuntimeUnavailableError
from ..common.processes.child import ChildError, Limits, call_in_child, limits_for
from ..common.scratch import scratch_folder
from .registry import RUNTIMES, load_file

# Far more than any file needs for 10,000 images; a runtime that hangs ends with an error message.
PROCESS_TIMEOUT_S = 900
# Images per batch, so that memory does not grow with their number.
BLOCK = 250


class IsolatedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job: run the file at `path`, described by its record, on images saved as .npy, and write logits to `logits`."""

    path: str
    file: ModelFile
    runtime: str
    images: str
    logits: str


def run_isolated(path: Path, file: ModelFile, runtime: str, images: Path) -> NDArray[np.float32]:
    """Run a file over images in a fresh process.

    Args:
        path: Path of the model file.
        file: The file's record in the card.
        runtime: One of `RUNTIMES`.
        images: A .npy file with raw pixels, uint8 [N, 28, 28, 1].

    Returns:
        Logits, float32 [N, 10].

    Raises:
        RuntimeUnavailableError: The process failed, was killed, or did not end.
    """
    with scratch_folder() as folder:
        logits = folder / "logits.npy"
        job = IsolatedJob(path=str(path), file=file, runtime=runtime, images=str(images), logits=str(logits))
        limits = Limits(memory_bytes=limits_for(path.stat().st_size).memory_bytes, seconds=PROCESS_TIMEOUT_S)
        try:
            call_in_child(run_job, msgspec.json.encode(job), limits)
            return np.load(logits, allow_pickle=False)
        except ChildError as error:
            raise RuntimeUnavailableError(f"{path.name} on {runtime}: {error}") from error
        except (OSError, ValueError, EOFError) as error:
            raise RuntimeUnavailableError(f"{path.name} on {runtime} wrote no logits ({error}).") from error


def run_job(content: bytes) -> bytes:
    """Run a job given as JSON; its logits are written to the file that it names.

    Raises:
        EdgeMnistError: The runtime cannot run the file.
    """
    job = msgspec.json.decode(content, type=IsolatedJob)
    classifier = load_file(RUNTIMES[job.runtime], Path(job.path).read_bytes(), job.file)
    images = np.load(job.images, allow_pickle=False)
    blocks = [classifier.logits(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK)]
    np.save(job.logits, np.concatenate(blocks))
    return b""


def main() -> None:
    """Run the job on standard input; an expected failure is one line on standard error."""
    try:
        run_job(sys.stdin.buffer.read())
    except EdgeMnistError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
