"""Read an untrusted .npz file: no pickles, and never more bytes than it may hold."""

import zipfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from .processes.child import first_line

# Bytes allowed for an .npy header, and for what savez writes beside arrays.
HEADER_BYTES = 4096


def read_npz(file: IO[bytes], most_bytes: int) -> dict[str, NDArray]:
    """Read all arrays of a file.

    Args:
        file: File open for reading.
        most_bytes: Limit on the bytes of all arrays together.

    Raises:
        ValueError: It is damaged, holds objects, or exceeds the limit once it is unpacked.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
        # Zip's other methods may unpack to more than the size that they state.
        if any(entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for entry in entries):
            raise ValueError("its members are neither stored nor deflated")
        if (unpacked := sum(max(0, entry.file_size - HEADER_BYTES) for entry in entries)) > most_bytes:
            raise ValueError(f"it unpacks to {unpacked:,} bytes, expected at most {most_bytes:,}")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:
        # zipfile, zlib and NumPy raise any exception on invalid bytes.
        raise ValueError(first_line(error)) from error
