"""The unfinished results of a large job, in whole parts, so that it can be continued after any interruption.

Beside `FILE` there is a folder `FILE.parts` while the job runs. Each part in it is written completely, or not at all.
A line of a part holds the rows of one input: so an input is either done, with all its rows, or not. At the end all
parts become `FILE` in one step. `job.json` says which job it is, so that another one is not continued by mistake;
`FILE.job.json` says the same of a finished one.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...common.errors import EdgeMnistError
from ...common.files import write_atomically
from .rows import InputRows

# A part is written when it has this many inputs or bytes, or after this time: at most so much is read again.
PART_INPUTS, PART_BYTES, PART_S = 5000, 8_000_000, 5.0
HASH_BYTES = 16


class PartLine(msgspec.Struct, frozen=True):
    """The rows of one input, each a JSON document as it was written."""

    input: str
    failures: int
    rows: list[msgspec.Raw]


class PartKey(msgspec.Struct, frozen=True):
    """The beginning of a line, of which the rows are not parsed."""

    input: str
    failures: int


class BulkJob(msgspec.Struct, frozen=True):
    """What a job reads, and with what: two jobs with the same values have the same rows."""

    inputs: list[str]
    model_sha256: str
    runtime: str
    every: str
    version: str


class FinishedJob(msgspec.Struct, frozen=True):
    """What a result was read from, and how many inputs and frames could not be read."""

    job: BulkJob
    failures: int


class PartsFolder:
    """The folder of a job's parts.

    Attributes:
        failures: Inputs and frames that could not be read, those of earlier runs included.
        done: Number of inputs that are done.
    """

    def __init__(self, out: Path, job: BulkJob, resume: bool) -> None:
        """Begin a job, or continue one.

        Args:
            out: File for the result.
            job: What is read.
            resume: Whether a job that was interrupted is continued; if there is none, one begins.

        Raises:
            EdgeMnistError: There is such a file or an unfinished job, which is another one, or runs; or the folder
                cannot be written.
        """
        self._out, self._job = out, job
        self._folder = _find_folder(out)
        self._lines: list[bytes] = []
        self._bytes = 0
        self._written_s = time.monotonic()
        if out.exists() and not resume:
            raise EdgeMnistError(f"{out}: exists already. Choose another --out, or delete it.")
        if self._folder.exists() and not resume:
            raise EdgeMnistError(f"{self._folder}: holds an interrupted run. Add --resume, or delete it.")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()
        except OSError as error:
            raise EdgeMnistError(f"{self._folder}: cannot be written ({error.strerror}).") from error
        self._parts = sorted(self._folder.glob("part-*.jsonl"))
        try:
            self._check_job(job)
            self._known, self.failures = self._read_keys()
        except (OSError, EdgeMnistError):
            self.close()
            raise
        self.done = len(self._known)

    @staticmethod
    def is_unfinished(out: Path) -> bool:
        """Whether there is a job for this file that was interrupted."""
        return _find_folder(out).exists()

    def is_done(self, key: str) -> bool:
        """Whether an earlier run has read this input."""
        if not len(self._known):
            return False
        wanted = np.frombuffer(bytes.fromhex(_hash(key)), f"S{HASH_BYTES}")
        at = int(np.searchsorted(self._known, wanted)[0])
        return at < len(self._known) and bool(self._known[at] == wanted[0])

    def add(self, key: str, result: InputRows) -> None:
        """Add the rows of an input; now and then a part is written.

        Raises:
            OSError: It cannot be written.
        """
        rows = b",".join(result.rows)
        line = b'{"input":"%s","failures":%d,"rows":[%s]}\n' % (_hash(key).encode(), result.failures, rows)
        self._lines.append(line)
        self._bytes += len(line)
        self.failures += result.failures
        self.done += 1
        is_due = time.monotonic() - self._written_s >= PART_S
        if is_due or self._bytes >= PART_BYTES or len(self._lines) >= PART_INPUTS:
            self.write_part()

    def write_part(self) -> None:
        """Write what was added since the last part.

        Raises:
            OSError: It cannot be written.
        """
        if self._lines:
            path = self._folder / f"part-{len(self._parts):06d}.jsonl"
            write_atomically(path, b"".join(self._lines))
            self._parts.append(path)
        self._lines.clear()
        self._bytes = 0
        self._written_s = time.monotonic()

    def rows(self) -> Iterator[bytes]:
        """Yield each row of all parts, a JSON document."""
        for line in self._read_lines():
            yield from map(bytes, msgspec.json.decode(line, type=PartLine).rows)

    def finish(self) -> None:
        """Note beside the result what it is, and remove the folder, once the result has been written."""
        write_atomically(_find_note(self._out), msgspec.json.encode(FinishedJob(self._job, self.failures)))
        self.remove()

    def remove(self) -> None:
        """Remove the folder."""
        # If this is interrupted, what is missing is read again, and the same result is written.
        for path in self._parts:
            path.unlink()
        shutil.rmtree(self._folder)

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def _take_lock(self) -> BinaryIO:
        file = (self._folder / "lock").open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise EdgeMnistError(f"{self._folder}: another process is writing it. Wait until it has ended.") from error
        except OSError:
            # A file system without locks.
            pass
        return file

    def _check_job(self, job: BulkJob) -> None:
        path = self._folder / "job.json"
        wanted = msgspec.json.format(msgspec.json.encode(job))
        with suppress(FileNotFoundError):
            there = path.read_bytes()
            if there != wanted:
                raise EdgeMnistError(
                    f"{path}: belongs to another job: inputs, model or --every differ. Repeat its command, or choose "
                    "another --out."
                )
            return
        write_atomically(path, wanted)

    def _read_lines(self) -> Iterator[bytes]:
        for path in self._parts:
            with path.open("rb") as file:
                yield from file

    def _read_keys(self) -> tuple[NDArray[np.bytes_], int]:
        decoder = msgspec.json.Decoder(PartKey)
        hashes = bytearray()
        failures = 0
        try:
            for line in self._read_lines():
                found = decoder.decode(line)
                hashes += bytes.fromhex(found.input)
                failures += found.failures
        except (ValueError, msgspec.MsgspecError) as error:
            raise EdgeMnistError(f"{self._folder}: a part is damaged ({error}). Delete the folder.") from error
        known = np.frombuffer(bytes(hashes), f"S{HASH_BYTES}")
        return np.sort(known), failures


def find_finished(out: Path, job: BulkJob) -> FinishedJob | None:
    """Find what an earlier run of this job said of its result; None if there is no result, or parts are left.

    Raises:
        EdgeMnistError: The file is not this job's result.
    """
    if not out.exists() or PartsFolder.is_unfinished(out):
        return None
    try:
        finished = msgspec.json.decode(_find_note(out).read_bytes(), type=FinishedJob)
    except (OSError, msgspec.MsgspecError):
        finished = None
    if finished is None or finished.job != job:
        raise EdgeMnistError(
            f"{out}: exists already, and is not a result of this command: inputs, model, --every or version differ. "
            "Choose another --out, or delete it."
        )
    return finished


def _find_note(out: Path) -> Path:
    return out.with_name(f"{out.name}.job.json")


def _find_folder(out: Path) -> Path:
    return out.with_name(f"{out.name}.parts")


def _hash(key: str) -> str:
    """Return 128 bits of a key's hash, in 32 hexadecimal digits."""
    return blake2b(os.fsencode(key), digest_size=HASH_BYTES).hexdigest()
