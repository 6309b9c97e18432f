"""A bundle is read only whole and unchanged, and replaced only whole."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge_mnist.edge.bundle.card import SCHEMA_VERSION, ModelCard, ModelCardError, decode_card, encode_card
from edge_mnist.edge.bundle.contract import ArchitectureRecord
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import describe_file, staged_bundle, write_card
from tests.conftest import edge_mnist

_VERSION = b'"schema_version": %d'
SHIPPED_FILES = sorted(path.name for path in SHIPPED.iterdir())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped bundle, to be broken."""
    return shutil.copytree(SHIPPED, tmp_path / "copy")


def _fill(folder: Path, content: bytes = b"weights") -> None:
    (folder / "model.keras").write_bytes(content)
    architecture = ArchitectureRecord(name="tiny", parameters=1, macs=1)
    write_card(
        folder,
        ModelCard(name="tiny", architecture=architecture, source=describe_file(folder, "model.keras"), training=None),
    )


def test_a_card_survives_the_round_trip_byte_for_byte() -> None:
    content = (SHIPPED / "card.json").read_bytes()

    assert encode_card(decode_card(content, "card")) == content


@pytest.mark.parametrize("name", SHIPPED_FILES)
def test_a_flipped_byte_anywhere_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)

    with pytest.raises(ModelCardError, match=name):
        open_bundle(copy)


@pytest.mark.parametrize("name", SHIPPED_FILES)
def test_a_missing_file_is_refused_by_name(copy: Path, name: str) -> None:
    (copy / name).unlink()

    with pytest.raises(ModelCardError, match=name):
        open_bundle(copy)


def test_a_newer_schema_is_refused_with_the_way_out(copy: Path) -> None:
    path = copy / "card.json"
    found, newer = open_bundle(copy).card.schema_version, SCHEMA_VERSION + 1
    path.write_bytes(path.read_bytes().replace(_VERSION % found, _VERSION % newer))

    with pytest.raises(
        ModelCardError, match=rf"expected schema_version {SCHEMA_VERSION}, got {newer}\. Update edge-mnist"
    ):
        open_bundle(copy)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"card": {"schema_version": "x"}}'])
def test_what_is_no_card_is_refused(content: bytes) -> None:
    with pytest.raises(ModelCardError, match="here: not a model card"):
        decode_card(content, "here")


@pytest.mark.parametrize("name", ["../model.keras", "/etc/passwd", ".hidden", "a/b", "a\n", "a\nb"])
def test_a_card_cannot_name_a_file_outside_its_folder(copy: Path, name: str) -> None:
    card = open_bundle(copy).card
    escaping = msgspec.structs.replace(card, source=msgspec.structs.replace(card.source, name=name))

    with pytest.raises(msgspec.ValidationError):
        encode_card(escaping)


@pytest.mark.parametrize("name", ["../outside", "/outside", "", "tiny\n"])
def test_a_bundles_name_is_no_path(copy: Path, name: str) -> None:
    card = msgspec.structs.replace(open_bundle(copy).card, name=name)

    with pytest.raises(msgspec.ValidationError, match=r"\$\.name"):
        encode_card(card)


def test_a_replacement_is_all_or_nothing(tmp_path: Path) -> None:
    destination = tmp_path / "bundle"
    with staged_bundle(destination) as folder:
        _fill(folder, b"old")

    def fail_halfway() -> None:
        with staged_bundle(destination) as folder:
            _fill(folder, b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()

    bundle = open_bundle(destination)
    assert bundle.read(bundle.card.source) == b"old"
    with staged_bundle(destination) as folder:
        _fill(folder, b"new")
    bundle = open_bundle(destination)
    assert bundle.read(bundle.card.source) == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_an_old_bundle_that_cannot_be_removed_does_not_undo_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    destination = tmp_path / "bundle"
    with staged_bundle(destination) as folder:
        _fill(folder, b"old")

    with monkeypatch.context() as patch, staged_bundle(destination) as folder:
        _fill(folder, b"new")
        patch.setattr(os, "unlink", refuse)

    bundle = open_bundle(destination)
    assert bundle.read(bundle.card.source) == b"new"


def test_a_killed_writer_leaves_the_old_bundle_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    destination = tmp_path / "bundle"
    with staged_bundle(destination) as folder:
        _fill(folder, b"old")
    code = (
        "import sys, time, pathlib; from edge_mnist.edge.bundle.writing import staged_bundle\n"
        "with staged_bundle(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'card.json').write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, destination], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)

    bundle = open_bundle(destination)
    assert bundle.read(bundle.card.source) == b"old"
    with staged_bundle(destination) as folder:
        _fill(folder, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("path", ["/", ".", ".."])
def test_no_short_name_of_a_folder_gets_around_that(path: str) -> None:
    with pytest.raises(ModelCardError, match="was not changed"), staged_bundle(Path(path)):
        pass


def test_a_folder_that_is_not_a_bundle_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"precious")

    with pytest.raises(ModelCardError, match="was not changed"), staged_bundle(tmp_path):
        pass

    assert (tmp_path / "holiday.jpg").read_bytes() == b"precious"


def test_a_shipped_bundle_goes_by_its_name_whatever_is_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    verified = edge_mnist("verify", "standard")
    unknown = edge_mnist("verify", "nobody")
    (tmp_path / "standard").mkdir()
    own = edge_mnist("verify", "standard")
    as_path = edge_mnist("verify", "./standard")

    assert verified.exit_code == own.exit_code == 0, verified.output
    assert str(SHIPPED) in verified.stdout
    assert str(SHIPPED) in own.stdout
    assert unknown.exit_code == 1
    assert "nobody: not a bundle" in unknown.stderr
    assert as_path.exit_code == 1
    assert "standard: not a bundle" in as_path.stderr
