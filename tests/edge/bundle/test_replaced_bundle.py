"""An export into an existing bundle replaces the bundle's files, keeps all others, and may be killed at any moment."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import describe_file, staged_bundle, write_card

# What a stranger may have put beside the bundle's files, some of it named much like them.
USERS = {
    "notes.txt": b"precious",
    "photos/holiday.jpg": b"precious, too",
    ".hidden": b"mine",
    "model.keras.bak": b"old weights",
    "standard-int8.tflite.bak": b"old file",
    "empty/": b"",
}
# Audit events of all that changes names on the disk.
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}


def _fill(folder: Path, content: bytes, *others: str) -> None:
    """Write a bundle whose card names `model.keras` and, as C source because that takes any names, the others."""
    card = open_bundle(SHIPPED).card
    for name in ("model.keras", *others):
        (folder / name).write_bytes(content + name.encode())
    sources = tuple(describe_file(folder, name) for name in others)
    source = describe_file(folder, "model.keras")
    if card.export is not None:
        export = msgspec.structs.replace(
            card.export,
            c_source=sources,
            reference=source,
            report=source,
            files=(msgspec.structs.replace(card.export.files[0], record=source),),
        )
        card = msgspec.structs.replace(card, export=export, source=source)
    write_card(folder, card)


def _add_users(folder: Path) -> None:
    for name, content in USERS.items():
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(content)


def _holds_users(folder: Path) -> bool:
    return all(
        (folder / name).is_dir() if name.endswith("/") else (folder / name).read_bytes() == content
        for name, content in USERS.items()
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of two files, and the user's own files beside them."""
    folder = tmp_path / "place" / "bundle"
    with staged_bundle(folder) as staging:
        _fill(staging, b"old", "stale.c", "kept.c")
    _add_users(folder)
    return folder


def _content(folder: Path) -> bytes:
    opened = open_bundle(folder)
    return opened.read(opened.card.source)


def test_what_the_card_does_not_name_stays_and_what_it_named_goes(bundle: Path) -> None:
    with staged_bundle(bundle) as staging:
        _fill(staging, b"new", "kept.c")

    assert _content(bundle) == b"newmodel.keras"
    assert _holds_users(bundle)
    own = {"card.json", "model.keras", "kept.c"}
    assert {path.name for path in bundle.iterdir()} == own | {name.partition("/")[0] for name in USERS}
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_file_that_the_old_card_named_but_the_user_changed_stays(bundle: Path) -> None:
    (bundle / "stale.c").write_bytes(b"mine by now")

    with staged_bundle(bundle) as staging:
        _fill(staging, b"new")

    assert (bundle / "stale.c").read_bytes() == b"mine by now"
    assert not (bundle / "kept.c").exists()


def _kill_at(number: int, work: Callable[[], None]) -> bool:
    """Do the work in a child that is killed just before its n-th change of the disk; False if it comes to its end."""
    child = os.fork()
    if not child:
        seen = 0

        def count(event: str, _: object) -> None:
            nonlocal seen
            if event in CHANGES:
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def _replace_with_new(folder: Path) -> None:
    with staged_bundle(folder) as staging:
        _fill(staging, b"new", "kept.c", "added.c")


def _give_up(folder: Path) -> None:
    """Begin, which settles what another left, and write nothing."""
    with pytest.raises(RuntimeError), staged_bundle(folder):
        raise RuntimeError


def test_killed_at_any_change_of_the_disk_the_old_or_the_new_bundle_is_there_and_the_users_files(bundle: Path) -> None:
    before = shutil.copytree(bundle, bundle.parent.parent / "before")
    contents: list[bytes] = []
    while _kill_at(len(contents) + 1, lambda: _replace_with_new(bundle)):
        contents.append(_content(bundle))
        assert _holds_users(bundle)
        # Once more, killed at its first change: what was left is put right by whoever comes next.
        _kill_at(1, lambda: _give_up(bundle))
        assert _content(bundle) == contents[-1]
        _give_up(bundle)
        assert _content(bundle) == contents[-1]
        assert _holds_users(bundle)
        own = {"card.json", "model.keras", "kept.c", "stale.c" if contents[-1].startswith(b"old") else "added.c"}
        assert {path.name for path in bundle.iterdir()} - {name.partition("/")[0] for name in USERS} == own
        assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]
        shutil.rmtree(bundle)
        shutil.copytree(before, bundle)

    # mkdir, out, in, five files into place, one stale, rmdir, and those of cleaning up: none of them was left out.
    assert len(contents) >= 9
    assert sorted(set(contents)) == [b"newmodel.keras", b"oldmodel.keras"]
    assert contents == sorted(contents, reverse=True)


def test_killed_while_it_makes_the_first_bundle_there_is_none_or_the_new_one(tmp_path: Path) -> None:
    folder, number = tmp_path / "bundle", 0
    while _kill_at(number + 1, lambda: _replace_with_new(folder)):
        number += 1
        if any(path.name in {"card.json", ".edge-mnist.complete"} for path in folder.glob("*")):
            assert _content(folder) == b"newmodel.keras"
        _replace_with_new(folder)
        assert _content(folder) == b"newmodel.keras"
        assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
        shutil.rmtree(folder)

    assert number >= 7


def test_what_failed_leaves_no_folder_behind(tmp_path: Path) -> None:
    _give_up(tmp_path / "a" / "b" / "bundle")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["notes.txt", "photos"])
def test_a_file_of_the_users_where_one_of_the_bundles_has_to_go_is_refused_before_the_work(
    bundle: Path, name: str
) -> None:
    def work() -> None:
        with staged_bundle(bundle, [name]):
            raise AssertionError

    with pytest.raises(ModelCardError, match=rf"{name}: is not part of the bundle there.*Move it"):
        work()
    assert _holds_users(bundle)


def test_a_file_that_came_meanwhile_is_not_written_over(bundle: Path) -> None:
    def work() -> None:
        with staged_bundle(bundle, ["model.keras"]) as staging:
            _fill(staging, b"new", "kept.c", "late.c")
            (bundle / "late.c").write_bytes(b"precious")

    with pytest.raises(ModelCardError, match=r"late\.c: is not part of the bundle"):
        work()
    assert (bundle / "late.c").read_bytes() == b"precious"
    assert _content(bundle) == b"oldmodel.keras"


def test_a_bundle_that_was_removed_meanwhile_does_not_cost_the_work(bundle: Path) -> None:
    with staged_bundle(bundle) as staging:
        _fill(staging, b"new")
        shutil.rmtree(bundle)

    assert _content(bundle) == b"newmodel.keras"


def test_of_two_that_begin_a_bundle_the_refused_one_takes_nothing_away(tmp_path: Path) -> None:
    with staged_bundle(tmp_path / "bundle") as staging:
        _fill(staging, b"new")
        with pytest.raises(ModelCardError, match="another process"), staged_bundle(tmp_path / "bundle"):
            pass
        assert (tmp_path / "bundle").is_dir()


def test_a_folder_whose_card_cannot_be_read_is_left_alone(bundle: Path) -> None:
    (bundle / "card.json").write_bytes(b"{}")

    with pytest.raises(ModelCardError, match=r"not a model card.*nothing was changed"), staged_bundle(bundle):
        pass
    assert (bundle / "card.json").read_bytes() == b"{}"
    assert _holds_users(bundle)


@pytest.mark.parametrize("exists", [True, False], ids=["to a bundle", "to nothing"])
def test_a_link_stays_a_link(bundle: Path, tmp_path: Path, exists: bool) -> None:
    target = bundle if exists else tmp_path / "elsewhere"
    link = tmp_path / "link"
    link.symlink_to(target)

    with staged_bundle(link) as staging:
        _fill(staging, b"new")

    assert link.readlink() == target
    assert _content(target) == b"newmodel.keras"
    assert not exists or _holds_users(target)


def test_a_link_to_itself_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")

    with pytest.raises(ModelCardError, match=r"link: expected a folder"), staged_bundle(tmp_path / "link"):
        pass


def test_a_link_inside_the_bundle_is_replaced_and_its_target_is_not_touched(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "weights"
    (bundle / "model.keras").rename(target)
    (bundle / "model.keras").symlink_to(target)

    with staged_bundle(bundle) as staging:
        _fill(staging, b"new")

    assert not (bundle / "model.keras").is_symlink()
    assert target.read_bytes() == b"oldmodel.keras"


@pytest.mark.parametrize("name", [".edge-mnist.new", ".edge-mnist.complete"])
def test_a_link_by_the_name_of_a_hidden_folder_is_not_followed(bundle: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    with staged_bundle(other) as staging:
        _fill(staging, b"other")
    (bundle / name).symlink_to(other)

    with pytest.raises(ModelCardError, match=f"{name}: expected a folder"), staged_bundle(bundle):
        pass
    assert _content(other) == b"othermodel.keras"


def test_a_bundle_whose_parent_cannot_take_a_folder_is_replaced_all_the_same(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        # As where the bundle is a disk of its own.
        if target.parent == bundle.parent:
            raise OSError(18, "Invalid cross-device link")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)

    with staged_bundle(bundle) as staging:
        assert staging.parent == bundle
        _fill(staging, b"new")

    assert _content(bundle) == b"newmodel.keras"
    assert _holds_users(bundle)


@contextmanager
def _other_writer(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is writing this bundle."""
    code = (
        "import sys, pathlib; from edge_mnist.edge.bundle.writing import staged_bundle\n"
        "with staged_bundle(pathlib.Path(sys.argv[1])) as folder:\n"
        "    print('writing', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        yield process
        process.kill()


def test_two_writers_of_one_bundle_are_refused_of_two_bundles_are_not(tmp_path: Path) -> None:
    with _other_writer(tmp_path / "bundle"):
        with (
            pytest.raises(ModelCardError, match="another process is writing to it"),
            staged_bundle(tmp_path / "bundle"),
        ):
            pass
        with staged_bundle(tmp_path / "another") as folder:
            _fill(folder, b"new")

    assert _content(tmp_path / "another") == b"newmodel.keras"


def test_a_killed_writer_locks_nobody_out_whoever_has_its_number_now(tmp_path: Path) -> None:
    with _other_writer(tmp_path / "bundle") as process:
        process.kill()
        process.wait()
        # What an older version took for a lock: this very process, alive, seems to be writing.
        (tmp_path / f".bundle.{os.getpid()}.new").mkdir()

        with staged_bundle(tmp_path / "bundle") as folder:
            _fill(folder, b"new")

    assert _content(tmp_path / "bundle") == b"newmodel.keras"


def test_all_is_on_the_disk_before_it_is_renamed_and_the_names_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def note_sync(descriptor: int) -> None:
        done.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        done.append(("rename", target.name))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    with staged_bundle(tmp_path / "bundle") as staging:
        _fill(staging, b"new")
        done.clear()

    committed = done.index(("rename", ".edge-mnist.complete"))
    assert {name for what, name in done[:committed] if what == "sync"} == {
        "model.keras",
        "card.json",
        ".bundle.edge-mnist.new",
    }
    assert done[committed + 1 :] == [("sync", "bundle")] * 2


def test_the_folder_keeps_its_mode_and_new_files_get_the_usual_one(bundle: Path) -> None:
    bundle.chmod(0o750)
    usual = os.umask(0o027)
    try:
        with staged_bundle(bundle) as staging:
            _fill(staging, b"new")
    finally:
        os.umask(usual)

    assert stat.S_IMODE(bundle.stat().st_mode) == 0o750
    assert stat.S_IMODE((bundle / "model.keras").stat().st_mode) == 0o640
