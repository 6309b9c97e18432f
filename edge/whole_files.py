"""Writing a file so that whoever is interrupted finds the old one or none, never half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; when the block ends well it becomes `path`, otherwise it goes away.

    Raises:
        OSError: The folder cannot be written.
    """
    # Hidden, and named after the process: two of them do not meet.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that holds this.

    Raises:
        OSError: The folder cannot be written.
    """
    with writing_whole(path) as file:
        file.write(content)
