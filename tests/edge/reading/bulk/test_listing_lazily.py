"""Folders and lists of any length: they begin at once, and memory does not grow with them."""

import io
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from edge_mnist.edge.media.lazy_sources import NamedInput, count_files, iterate_inputs, iterate_list
from edge_mnist.edge.media.listing import iterate_folder, list_folder
from edge_mnist.edge.media.videos import Spacing

FILES = 3000
# The folder's entries are read in blocks of 32 kB; a list of their names alone would take ten times as much.
MOST_GROWTH_BYTES = 50_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    for i in range(FILES):
        (folder / f"{i:06d}.png").touch()
    return folder


def test_memory_does_not_grow_with_the_files_of_a_folder(folder: Path) -> None:
    assert _measure_growth(lambda: iterate_inputs((str(folder),), Spacing(), print)) < MOST_GROWTH_BYTES


def test_memory_does_not_grow_with_a_list() -> None:
    lines = b"".join(b"/somewhere/%06d.png\n" % i for i in range(FILES))

    assert _measure_growth(lambda: iterate_list(io.BytesIO(lines), Spacing())) < MOST_GROWTH_BYTES


def test_the_measure_sees_memory_that_grows() -> None:
    lines = b"".join(b"/somewhere/%06d.png\n" % i for i in range(FILES))

    assert _measure_growth(lambda: _remember(iterate_list(io.BytesIO(lines), Spacing()))) > MOST_GROWTH_BYTES


def _remember(inputs: Iterator[NamedInput]) -> Iterator[NamedInput]:
    seen = []
    for one in inputs:
        seen.append(one)
        yield one


def _measure_growth(start: Callable[[], Iterator[NamedInput]]) -> int:
    """The least growth of three rounds after the first 100 inputs, in bytes.

    Python's table of interned strings, which holds the parts of paths, grows in leaps, at most once in three rounds.
    """
    growths = []
    for _ in range(3):
        inputs = start()
        deque(islice(inputs, 100), maxlen=0)
        tracemalloc.start()
        begun = tracemalloc.get_traced_memory()[0]
        left = sum(1 for _ in inputs)
        growths.append(tracemalloc.get_traced_memory()[1] - begun)
        tracemalloc.stop()
        assert left == FILES - 100
    return min(growths)


def test_the_files_are_those_of_the_sorted_list(tmp_path: Path) -> None:
    """Also links, of which each file is listed once, subfolders, hidden files and other kinds."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere.png"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", ".hidden.png", "notes.txt", "form.pdf"):
        (folder / name).write_bytes(b"%PDF-1.4" if name == "form.pdf" else b"text")
    elsewhere.touch()
    for name, target in (("to-a.png", "a.png"), ("to-hidden.png", ".hidden.png"), ("x.png", elsewhere),
                         ("broken.png", "nothing"), ("sub-again", "sub")):  # fmt: skip
        (folder / name).symlink_to(target)

    listed, lazily = list_folder(folder), dict(iterate_folder(folder))

    assert sorted(path for path, kind in lazily.items() if kind is None) == list(listed.paths)
    assert {path: kind for path, kind in lazily.items() if kind is not None} == listed.left_out


def test_keys_tell_all_inputs_apart(folder: Path) -> None:
    inputs = list(iterate_inputs((str(folder), str(folder), str(folder / "000000.png")), Spacing(), print))
    lines = list(iterate_list(io.BytesIO(b"a.png\na.png\n"), Spacing()))

    assert len({item.key for item in inputs}) == len(inputs) == 2 * FILES + 1
    assert len({item.key for item in lines}) == 2


def test_an_estimate_of_the_number_is_there_at_once(folder: Path) -> None:
    assert count_files((str(folder), "one.png")) == FILES + 1
