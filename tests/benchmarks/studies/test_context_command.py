"""`edge-mnist measure context`: it trains a network that the reader loads, and explains what is missing."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_mnist.benchmarks.studies.context import study
from edge_mnist.benchmarks.studies.context.frames import KINDS
from edge_mnist.cli import main
from edge_mnist.edge.data.datasets import split_sample_for_training
from tests.builders.context import draw_photograph, load_network, random_windows


def _measure(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["measure", "context", *map(str, args)])


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for seed in range(3):
        cv2.imwrite(str(folder / f"{seed}.png"), draw_photograph(seed))
    return folder


def test_the_command_writes_a_network_that_the_reader_loads(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("keras")
    monkeypatch.setattr(study, "load_mnist", lambda _: split_sample_for_training())
    out = tmp_path / "new" / "context.npz"

    result = _measure(photographs, "--out", out, "--frames", "6", "--epochs", "1", "--json")

    assert result.exit_code == 0, result.output
    results = json.loads(result.stdout)
    assert (results["training"]["photographs"], results["evaluation"]["photographs"]) == (2, 1)
    assert (results["training"]["frames"], results["evaluation"]["frames"]) == (6, 1)
    assert results["size_bytes"] == out.stat().st_size < 25_000
    assert {row["kind"] for row in results["figures"]["kept"]} == set(KINDS)
    assert np.isfinite(load_network(out, monkeypatch)(random_windows(3))).all()


def test_one_photograph_is_too_few(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    cv2.imwrite(str(tmp_path / "only.png"), draw_photograph(0))

    result = _measure(tmp_path, "--out", tmp_path / "x.npz")

    assert result.exit_code == 1
    assert f"{tmp_path}: expected at least 2 photographs without digits, found 1." in result.output


def test_a_folder_without_fonts_is_one_sentence(photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras")
    (tmp_path / "fonts").mkdir()

    result = _measure(photographs, "--fonts", tmp_path / "fonts", "--out", tmp_path / "x.npz")

    assert result.exit_code == 1
    assert "fonts: expected fonts (.otf or .ttf) neither italic nor thin, found none." in result.output


def test_without_mnist_the_command_says_what_it_looked_for(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("keras")
    monkeypatch.delenv("EDGE_MNIST_DATA", raising=False)

    result = _measure(photographs, "--out", tmp_path / "x.npz")

    assert result.exit_code == 1
    assert "MNIST is not on this machine" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_without_keras_the_command_names_the_extra(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)

    result = _measure(photographs, "--out", tmp_path / "x.npz")

    assert result.exit_code == 1
    assert "measure context needs the package keras: pip install 'edge-mnist[train]'" in result.output
