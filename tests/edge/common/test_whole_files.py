"""A file is written whole or not at all, under a name that nobody can guess until it is on the disk."""

import os
import stat
from pathlib import Path

import pytest
from PIL import Image

from edge_mnist.edge.common import files as whole_files
from edge_mnist.edge.common.files import atomic_file, explain_full_disk, new_folder, write_atomically
from tests.conftest import edge_mnist, python_process


def test_a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_unfinished_file_has_another_name_each_time_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set[str]()
    for _ in range(2):
        with atomic_file(tmp_path / "file"):
            names |= {path.name for path in tmp_path.iterdir()} - {"file"}
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(whole_files.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".edge-mnist.guessed").symlink_to(victim)

    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"new")

    assert len(names) == 2
    assert victim.read_bytes() == b"precious"


def test_links_by_the_name_that_an_older_version_used_lead_nowhere(tmp_path: Path) -> None:
    victim, page = tmp_path / "victim", tmp_path / "page.png"
    victim.write_bytes(b"precious")
    assert edge_mnist("example", page).exit_code == 0
    (tmp_path / f".page.digits.png.{os.getpid()}").symlink_to(victim)

    result = edge_mnist("run", page, "--annotate", tmp_path)

    assert result.exit_code == 0
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "page.digits.png").is_symlink()


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "file").symlink_to("victim")

    write_atomically(tmp_path / "file", b"new")

    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("a" * 255), b"new")

    assert (tmp_path / ("a" * 255)).read_bytes() == b"new"


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    usual = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"new")
    finally:
        os.umask(usual)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_the_content_is_on_the_disk_before_the_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append("folder" if path.is_dir() else f"{path.stat().st_size} bytes")
        fsync(descriptor)

    def note_replace(path: Path, target: Path) -> Path:
        done.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)

    write_atomically(tmp_path / "file", b"12345")

    assert done == ["5 bytes", "name", "folder"]


def test_an_example_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    # The system refuses to let any file grow beyond 1 kB, as a full disk refuses to take more.
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from edge_mnist.cli import main; main()\n"
    )

    process = python_process(code, "example", tmp_path / "page.png")

    assert process.returncode == 1
    assert "page.png: cannot be written (File too large)" in process.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exists", [True, False], ids=["to an empty folder", "to nothing"])
def test_a_folder_of_results_that_is_a_link_stays_one(tmp_path: Path, exists: bool) -> None:
    if exists:
        (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    with new_folder(tmp_path / "link") as folder:
        (folder / "file").write_bytes(b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"


def test_a_full_disk_for_temporary_files_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(whole_files.tempfile, "gettempdir", lambda: str(tmp_path))
    enough = explain_full_disk()
    monkeypatch.setattr(whole_files, "LEAST_TEMPORARY_BYTES", 1 << 80)

    assert enough == ""
    assert f"free space in {tmp_path}, or set TMPDIR" in explain_full_disk()


def test_a_drawing_of_every_format_is_written_as_its_name_says(tmp_path: Path) -> None:
    for name, format_ in (("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.bmp", "BMP")):
        assert edge_mnist("example", tmp_path / name).exit_code == 0
        with Image.open(tmp_path / name) as image:
            assert image.format == format_


KILLED = """
import os, signal, sys
from pathlib import Path
from edge_mnist.edge.common.files import atomic_file
with atomic_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    python_process(KILLED, tmp_path / "file")
    (left,) = tmp_path.iterdir()
    assert left.read_bytes() == b"half"

    write_atomically(tmp_path / "another", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["another"]


def test_a_file_that_is_being_written_and_files_of_others_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ".edge-mnist.0123456789abcdef"
    for mine in ("notes.txt", ".edge-mnist.notes", f"{name}0"):
        (tmp_path / mine).write_bytes(b"mine")
    os.mkfifo(tmp_path / name)
    (tmp_path / f"{name[:-1]}0").symlink_to("notes.txt")
    before = set(tmp_path.iterdir())

    with atomic_file(tmp_path / "first") as file:
        monkeypatch.setattr(whole_files, "_swept", set())
        write_atomically(tmp_path / "second", b"new")
        file.write(b"whole")

    assert set(tmp_path.iterdir()) - before == {tmp_path / "first", tmp_path / "second"}
    assert (tmp_path / "first").read_bytes() == b"whole"
    assert before < set(tmp_path.iterdir())
