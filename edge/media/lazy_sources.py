"""Inputs by the million: files of folders and lists, one after the other, none opened or remembered before its turn."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..common.files import open_file_or_pipe
from .listing import EXPECTED, MOST_NAMED, iterate_folder
from .pictures import PictureError
from .sources import (
    STANDARD_INPUT,
    InputSource,
    LeftOut,
    MissingSource,
    SourceFrame,
    choose_source,
    find_sources,
    printable,
)
from .videos import Spacing

# Longer than any path of Linux.
MOST_LINE_BYTES = 65_536


class NamedInput(NamedTuple):
    """One input of a large job.

    Attributes:
        key: Identity of the input, equal when the same job is run again, and of no other input.
        name: Name for people.
        source: What to read.
    """

    key: str
    name: str
    source: InputSource


@dataclass(frozen=True)
class ListedFile:
    """A file whose kind is found when it is read."""

    path: Path
    spacing: Spacing

    def frames(self) -> Iterator[SourceFrame | PictureError]:
        """Yield its frames."""
        yield from choose_source(self.path, self.spacing, is_listed=True).frames()


def iterate_inputs(arguments: tuple[str, ...], spacing: Spacing, tell: Callable[[str], None]) -> Iterator[NamedInput]:
    """Yield the inputs of files, folders and patterns; only the matches of a pattern are listed beforehand.

    Args:
        arguments: Arguments as typed.
        spacing: Spacing of the frames to read from videos.
        tell: Function that takes a sentence on the other files of a folder or pattern.

    Yields:
        The files of a folder in the system's order; what cannot be read is an input that fails with the reason.
    """
    for number, argument in enumerate(arguments):
        if Path(argument).is_dir():
            found = _iterate_folder(argument, spacing, tell)
        else:
            found = ((_name(source, argument), source) for source in find_sources((argument,), spacing, tell))
        for name, source in found:
            yield NamedInput(f"{number}/{name}", printable(Path(name)), source)


def _iterate_folder(folder: str, spacing: Spacing, tell: Callable[[str], None]) -> Iterator[tuple[str, InputSource]]:
    others: list[str] = []
    count = 0
    is_empty = True
    try:
        for path, kind in iterate_folder(Path(folder)):
            is_empty = is_empty and kind is not None and kind.holds != "unread"
            if kind is None:
                yield str(path), ListedFile(path, spacing)
            elif kind.holds == "unread":
                yield str(path), LeftOut(str(path), {path: kind})
            else:
                count += 1
                if count <= MOST_NAMED:
                    others.append(f"{path.name} ({kind.name})")
    except OSError as error:
        yield folder, MissingSource(f"{folder}: cannot be read ({error.strerror}).")
        return
    if is_empty:
        yield folder, MissingSource(f"{folder}: no pictures found. {EXPECTED}")
    if count:
        more = f", and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
        tell(f"{folder}: not read: {', '.join(others)}{more}.")


def _name(source: InputSource, argument: str) -> str:
    return str(getattr(source, "path", argument))


def iterate_list(lines: BinaryIO, spacing: Spacing) -> Iterator[NamedInput]:
    """Yield the files of a list, one path in each line, in its order."""
    number = 0
    while line := lines.readline(MOST_LINE_BYTES):
        number += 1
        is_path = line.endswith(b"\n") or len(line) < MOST_LINE_BYTES
        while not line.endswith(b"\n") and (rest := lines.readline(MOST_LINE_BYTES)):
            line = rest
        name = os.fsdecode(line.removesuffix(b"\n").removesuffix(b"\r"))
        if not name:
            continue
        is_path = is_path and "\0" not in name
        source = ListedFile(Path(name), spacing) if is_path else MissingSource(f"line {number}: is not a path.")
        shown = printable(Path(name)) if is_path else f"line {number}"
        yield NamedInput(f"line {number}/{shown}", shown, source)


def open_list(path: str, stack: ExitStack) -> BinaryIO:
    """Open a list of files, or standard input for `-`.

    Raises:
        EdgeMnistError: It cannot be read.
    """
    if path == STANDARD_INPUT:
        return sys.stdin.buffer
    return stack.enter_context(open_file_or_pipe(Path(path)))


def count_files(arguments: tuple[str, ...]) -> int:
    """Count the files of folders, and each other argument as one; an estimate, because nothing is opened."""
    count = 0
    for argument in arguments:
        try:
            with os.scandir(argument) as entries:
                count += sum(not entry.name.startswith(".") for entry in entries)
        except OSError:
            count += 1
    return count
