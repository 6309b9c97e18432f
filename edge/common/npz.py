"""Reading an .npz file that may come from anywhere: no pickles, and never more bytes than it is known to hold."""

import zipfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from .processes.child import first_line

# Of an .npy header, and of what savez writes beside arrays.
HEADER_BYTES = 4096


class NpzError(ValueError):
    """A file is no .npz file, or holds something else than is expected; the message says what."""


def read_npz(file: IO[bytes], most_bytes: int) -> dict[str, NDArray]:
    """Read all arrays of a file.

    Args:
        file: Open for reading.
        most_bytes: Of all arrays together.

    Raises:
        NpzError: It is damaged, holds objects, or holds more than that once it is unpacked.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
        # Zip's other methods unpack more than the size that they are said to have.
        if any(entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for entry in entries):
            raise NpzError("its parts are neither stored nor deflated")
        if (unpacked := sum(max(0, entry.file_size - HEADER_BYTES) for entry in entries)) > most_bytes:
            raise NpzError(f"it unpacks to {unpacked:,} bytes, at most {most_bytes:,} are expected")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except NpzError:
        raise
    except Exception as error:
        # zipfile, zlib and NumPy raise what they like on bytes that are none of theirs.
        raise NpzError(first_line(error)) from error
