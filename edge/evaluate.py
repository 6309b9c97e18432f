"""One file on one runtime in a process of its own: raw pixels in, logits out, so that nothing is shared or left over.

Started as `python -m edge_mnist.edge.evaluate` with a job as JSON on standard input.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from .card import ModelFile
from .classifiers import RUNTIMES, RuntimeUnavailableError, load_file
from .errors import EdgeMnistError

# Far more than any file needs for 10,000 images, so that a runtime that hangs ends with a sentence.
PROCESS_TIMEOUT_S = 900


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: the file at `path`, what the card says of it, on images saved as .npy; logits go to `logits`."""

    path: str
    file: ModelFile
    runtime: str
    images: str
    logits: str


def evaluate_apart(path: Path, file: ModelFile, runtime: str, images: Path) -> NDArray[np.float32]:
    """Run a file over images in a fresh process.

    Args:
        path: The file.
        file: What its card says of it.
        runtime: One of `RUNTIMES`.
        images: A .npy file with raw pixels, uint8 [N, 28, 28, 1].

    Returns:
        Logits, float32 [N, 10].

    Raises:
        RuntimeUnavailableError: The process failed, was killed, or did not end.
    """
    with tempfile.TemporaryDirectory() as folder:
        logits = Path(folder) / "logits.npy"
        job = Job(path=str(path), file=file, runtime=runtime, images=str(images), logits=str(logits))
        try:
            process = subprocess.run(
                # -P: a random.py or onnx.py in the current folder is not to be imported.
                [sys.executable, "-P", "-m", "edge_mnist.edge.evaluate"],
                input=msgspec.json.encode(job),
                capture_output=True,
                timeout=PROCESS_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeUnavailableError(
                f"{runtime} did not finish {path.name} within {PROCESS_TIMEOUT_S} s."
            ) from error
        if process.returncode != 0:
            reason = (process.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise RuntimeUnavailableError(f"{path.name} on {runtime} ended with code {process.returncode}: {reason}")
        return np.load(logits, allow_pickle=False)


def main() -> None:
    """Do the job on standard input; an expected failure is one line on standard error."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    try:
        classifier = load_file(RUNTIMES[job.runtime], Path(job.path).read_bytes(), job.file)
    except EdgeMnistError as error:
        sys.exit(str(error))
    np.save(job.logits, classifier.logits(np.load(job.images, allow_pickle=False)))


if __name__ == "__main__":
    main()
