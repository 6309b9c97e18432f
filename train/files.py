"""Writing a file so that whoever is interrupted finds the old one or none, never half of one."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write under another name first, and rename.

    Raises:
        OSError: The folder cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
