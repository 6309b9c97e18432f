"""List which files of a folder or pattern are read, each once even if several links lead to it, and which are not."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..common.kinds import JPEG, Kind, identify_file
from . import pictures, videos

SUFFIXES = pictures.SUFFIXES | videos.SUFFIXES
EXPECTED = f"Expected pictures ({', '.join(sorted(pictures.FORMATS))}) or videos, e.g. .mp4."
# At most this many files are named; the others are counted.
MOST_NAMED = 10
LINK = Kind("a broken link", "other")
DEVICE = Kind("a pipe or device", "other")
CLOSED_FOLDER = Kind("a folder that cannot be read", "unread")
SUBFOLDER = Kind("a subfolder", "other")


@dataclass(frozen=True)
class Listing:
    """The content of a folder or the matches of a pattern, sorted.

    Attributes:
        paths: Pictures and videos to read.
        left_out: Other files and subfolders with their kinds. Names that begin with a dot are in neither.
    """

    paths: tuple[Path, ...]
    left_out: dict[Path, Kind]

    @property
    def unread(self) -> dict[Path, Kind]:
        """Files left out that people take for pictures or videos, such as PDF documents."""
        return {path: kind for path, kind in self.left_out.items() if kind.holds == "unread"}

    @property
    def non_media(self) -> dict[Path, Kind]:
        """All other files that were left out."""
        return {path: kind for path, kind in self.left_out.items() if kind.holds != "unread"}


def list_folder(folder: Path) -> Listing:
    """List the files of a folder, without subfolders.

    Raises:
        OSError: The folder cannot be read.
    """
    return _sort(folder.iterdir())


def iterate_folder(folder: Path) -> Iterator[tuple[Path, Kind | None]]:
    """Yield the visible entries of a folder in the system's order, with the kind of each that is left out.

    Unlike `list_folder`, it starts at once, and its memory does not grow with the number of files.

    Raises:
        OSError: The folder cannot be read.
    """
    inside = os.path.realpath(folder)
    linked: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = folder / entry.name
            if entry.is_symlink():
                target = os.path.realpath(path)
                name = os.path.basename(target)  # noqa: PTH119 - as realpath returned it
                is_listed = os.path.dirname(target) == inside and not name.startswith(".") and os.path.exists(target)  # noqa: PTH110, PTH120
                if is_listed or target in linked:
                    continue
                linked.add(target)
            yield path, find_kind(path)


def list_tree(folder: Path) -> Listing:
    """List the files of a folder and its subfolders, each once even if links form circles.

    Raises:
        OSError: The folder cannot be read.
    """
    closed: list[Path] = []
    files = [path for one in _walk(folder, closed) for path in one.iterdir() if not path.is_dir()]
    return _sort([*files, *closed])


def list_matches(pattern: str) -> Listing:
    """List the matches of a glob pattern; `**` is any number of folders, each once even if links form circles."""
    closed: list[Path] = []
    return _sort([*_match(pattern, closed), *closed])


def is_video(path: Path) -> bool:
    """Whether a file is read as a video: its first bytes decide, or its name if they do not.

    Raises:
        OSError: The file cannot be read.
    """
    by_name = path.suffix.lower() in videos.SUFFIXES
    kind = identify_file(path)
    # A file of JPEG pictures begins as a single picture does.
    return kind.holds == "video" or (by_name and not (kind.holds == "picture" and kind is not JPEG))


def describe_left_out(left_out: dict[Path, Kind]) -> str:
    """Describe: `2 files were not read: a.pdf (a PDF document), b.txt (a text); 1 subfolder was not searched`."""
    files = {path: kind for path, kind in left_out.items() if kind is not SUBFOLDER}
    named = [f"{path.name} ({kind.name})" for path, kind in list(files.items())[:MOST_NAMED]]
    more = [f"and {len(files) - MOST_NAMED} more"] if len(files) > MOST_NAMED else []
    parts = [f"{_count(len(files), 'file')} not read: {', '.join(named + more)}"] if files else []
    if len(files) < len(left_out):
        parts.append(
            f"{_count(len(left_out) - len(files), 'subfolder')} not searched; a pattern with ** includes subfolders"
        )
    return "; ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"1 {noun} was" if number == 1 else f"{number} {noun}s were"


def _sort(paths: Iterable[Path]) -> Listing:
    read: list[Path] = []
    left_out: dict[Path, Kind] = {}
    seen: set[str] = set()
    # Of a file and links to it, only the file is listed.
    for path in sorted(paths, key=lambda path: (path.is_symlink(), path)):
        target = os.path.realpath(path)
        if path.name.startswith(".") or target in seen:
            continue
        seen.add(target)
        kind = find_kind(path)
        if kind is None:
            read.append(path)
        else:
            left_out[path] = kind
    return Listing(tuple(sorted(read)), dict(sorted(left_out.items())))


def find_kind(path: Path) -> Kind | None:
    """Find the kind of a path that is left out; None if it is read, if only to report why it cannot be."""
    if path.is_dir():
        return SUBFOLDER if os.access(path, os.R_OK | os.X_OK) else CLOSED_FOLDER
    if not path.is_file():
        return DEVICE if path.exists() else LINK
    if path.suffix.lower() in SUFFIXES:
        return None
    try:
        kind = identify_file(path)
    except OSError:
        return None
    return None if kind.holds in {"picture", "video"} else kind


def _match(pattern: str, closed: list[Path]) -> Iterator[Path]:
    parts = pattern.split("/")
    if "**" not in parts:
        yield from map(Path, glob.glob(pattern))  # noqa: PTH207 - the pattern as typed
        return
    at = parts.index("**")
    before, after = "/".join(parts[:at]), "/".join(parts[at + 1 :]) or "*"
    bases = [Path(base) for base in glob.glob(before)] if before else [Path("/" if pattern.startswith("/") else ".")]  # noqa: PTH207 - as typed
    for base in bases:
        for folder in _walk(base, closed):
            found = _match(f"{glob.escape(str(folder))}/{after}", closed)
            yield from (path for path in found if not path.is_dir())


def _walk(folder: Path, closed: list[Path]) -> Iterator[Path]:
    """Yield a folder and all visible ones below it, links followed, none twice; unreadable ones go to `closed`."""
    seen: set[tuple[int, int]] = set()
    for name, folders, _ in os.walk(
        folder, onerror=lambda error: closed.append(Path(error.filename)), followlinks=True
    ):
        status = os.stat(name)  # noqa: PTH116 - as os.walk does
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        yield Path(name)
