"""A bundle with a file of another size or kind than its card says is refused in one sentence."""

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from edge_mnist.edge.bundle.card import ArchitectureRecord, ModelCard, ModelCardError, encode_card
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import describe_file
from tests.conftest import edge_mnist


def _seal(folder: Path, **changed: object) -> None:
    """Seal a card that says something else of its source."""
    source = msgspec.structs.replace(describe_file(folder, "model.keras"), **changed)
    card = ModelCard(
        name="tiny", architecture=ArchitectureRecord(name="t", parameters=1, macs=1), source=source, training=None
    )
    (folder / "card.json").write_bytes(encode_card(card))


@pytest.mark.parametrize("size", [1, 6, 8, 600_000_000, 10**13])
def test_a_file_of_another_size_than_the_card_says_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "model.keras").write_bytes(b"weights")
    _seal(tmp_path, size_bytes=size)

    with pytest.raises(ModelCardError, match=r"model\.keras: .*bytes"):
        open_bundle(tmp_path)


def test_a_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"weights")
    _seal(tmp_path)
    with (tmp_path / "model.keras").open("wb") as file:
        file.truncate(10 << 40)

    with pytest.raises(ModelCardError, match="expected at most 7 bytes, got 10,995,116,277,760"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("name", ["card.json", "model.keras", "report.html"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_what_is_no_file_in_a_bundle_is_one_sentence(tmp_path: Path, name: str, kind: str) -> None:
    folder = shutil.copytree(SHIPPED, tmp_path / "bundle")
    (folder / name).unlink()
    {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "folder": Path.mkdir,
        "loop": lambda path: path.symlink_to(name),
    }[kind](folder / name)

    result = edge_mnist("verify", folder)

    assert result.exit_code == 1
    assert f"{name}: " in result.stderr
    assert len(result.stderr.splitlines()) == 1
