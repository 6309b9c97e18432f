"""What a peer reads is held against what else fits: no figure of a model that was fed wrongly goes out silently."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_mnist.benchmarks.report.summary import doubt_peers
from edge_mnist.benchmarks.results.csv_table import format_csv
from edge_mnist.benchmarks.results.peer_inputs import (
    CONVENTIONS,
    InputCheck,
    check_input,
    choose_images,
    doubt_input,
    parse_convention,
    read_by_each,
    scale_pixels,
)
from edge_mnist.benchmarks.results.schema import Row
from edge_mnist.benchmarks.targets.job import PeerInterface
from edge_mnist.benchmarks.targets.peers import LoadedPeer, load_peer
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.common.errors import RuntimeUnavailableError
from edge_mnist.edge.data import held_out as mnist
from tests.builders.benchmark_results import make_results
from tests.conftest import edge_mnist

OPSET = helper.make_opsetid("", 17)


def _nearest_mean(path: Path, sample: mnist.Images, convention: str, outputs: tuple[str, ...] = ("digits",)) -> Path:
    """A model that reads about 80 % of digits by the nearest mean image, if pixels come by one convention."""
    images = np.stack([sample.pixels[sample.labels == digit].mean(axis=0) for digit in range(10)]).reshape(10, 784)
    means = np.asarray(scale_pixels(images.round().astype(np.uint8), parse_convention(convention)), np.float32)
    constants = [
        numpy_helper.from_array(means.T.copy(), "means"),
        numpy_helper.from_array(-0.5 * (means**2).sum(axis=1), "bias"),
    ]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("Gemm", ["flat", "means", "bias"], ["scores"]),
    ]
    nodes += [helper.make_node("Identity" if i == 0 else "Neg", ["scores"], [name]) for i, name in enumerate(outputs)]
    graph = helper.make_graph(
        nodes,
        "peer",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 1, 28, 28])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 10]) for name in outputs],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[OPSET], ir_version=8), path)
    return path


def _load(path: Path, reads: str, output: str | None = None) -> LoadedPeer:
    return load_peer(path, PeerInterface(reads, output), "onnxruntime", "default", 1)


@pytest.mark.parametrize(
    ("text", "paper", "ink"),
    [
        ("float01", 0, 1),
        ("float255", 0, 255),
        ("float-1-1", -1, 1),
        ("standardized", -0.1307 / 0.3081, 0.8693 / 0.3081),
        ("0.5/0.25", -2, 2),
        ("float01-inverted", 1, 0),
        ("0.5/0.25-inverted", 2, -2),
        ("uint8", 0, 255),
        ("uint8-inverted", 255, 0),
    ],
)
def test_pixels_become_what_a_convention_says(text: str, paper: float, ink: float) -> None:
    found = scale_pixels(np.array([0, 255], np.uint8), parse_convention(text))

    assert found == pytest.approx([paper, ink], abs=1e-6)
    assert found.dtype == (np.uint8 if "uint8" in text else np.float32)


@pytest.mark.parametrize("text", ["", "float", "0.5", "0.5/0", "0.5/-1", "nan/1", "1/inf", "a/b", "-inverted", "1/2/3"])
def test_what_is_no_convention_is_refused_with_those_that_are(text: str, tmp_path: Path) -> None:
    path = tmp_path / "peer.onnx"
    path.write_bytes(b"")

    with pytest.raises(ValueError, match="expected float01, float255, float-1-1, standardized, uint8, or MEAN/"):
        parse_convention(text)
    result = edge_mnist("benchmark", "--peer", path, f"--peer-input={text}")

    assert result.exit_code == 2
    assert "standardized" in result.stderr


@pytest.mark.parametrize("right", ["float01", "float-1-1", "standardized", "float01-inverted"])
def test_the_convention_that_a_model_learned_is_named_where_another_was_stated(
    tmp_path: Path, sample: mnist.Images, right: str
) -> None:
    peer = _load(_nearest_mean(tmp_path / "peer.onnx", sample, right), "float255")
    images = choose_images(sample)
    stated = "float255-inverted" if right == "float01" else "float255"

    check = check_input(stated, read_by_each(peer.reading, stated, images.pixels), images.labels)

    said = doubt_input(check)
    assert len(images) == check.count == 500
    assert check.better == right
    assert said is not None
    assert f"as stated ({'0 to 255, inverted' if right == 'float01' else '0 to 255'})" in said
    assert said.endswith(f": add --peer-input {right}.")


@pytest.mark.parametrize("right", ["float01", "float-1-1", "standardized"])
def test_of_the_right_convention_nothing_is_said(tmp_path: Path, sample: mnist.Images, right: str) -> None:
    peer = _load(_nearest_mean(tmp_path / "peer.onnx", sample, right), right)
    images = choose_images(sample)

    check = check_input(right, read_by_each(peer.reading, right, images.pixels), images.labels)

    assert check.better is None
    assert doubt_input(check) is None
    # Integers cannot enter floats, so they are not tried.
    assert set(check.correct) == {
        f"{name}{end}" for name in CONVENTIONS if name != "uint8" for end in ("", "-inverted")
    }


def test_differences_that_chance_explains_are_no_reason_to_doubt() -> None:
    labels = np.zeros(500, np.uint8)
    stated, rival = [0] * 440 + [1] * 60, [0] * 450 + [1] * 50
    clear = [0] * 470 + [1] * 30

    assert check_input("float01", {"float01": stated, "float255": rival}, labels).better is None
    assert check_input("float01", {"float01": stated, "float255": clear}, labels).better == "float255"
    assert check_input("float255", {"float01": stated, "float255": clear}, labels).better is None


def test_a_model_near_chance_by_every_convention_is_said() -> None:
    check = InputCheck(stated="float01", count=500, correct={"float01": 52, "float255": 50})

    assert "10.40 % of 500 digits as stated (0 to 1), near chance" in str(doubt_input(check))


def test_digits_from_a_process_that_was_taken_over_are_checked() -> None:
    with pytest.raises(ValueError, match="expected 3 digits by float01"):
        check_input("float01", {"float01": [1, 2]}, np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="expected 3 digits by float01"):
        check_input("float01", {}, np.zeros(3, np.uint8))


def test_a_doubt_stands_in_every_report() -> None:
    results = make_results()
    check = InputCheck(stated="float01", count=500, correct={"float01": 192, "float-1-1": 483}, better="float-1-1")
    row: Row = msgspec.structs.replace(results.rows[0], file="theirs.onnx", is_peer=True, input_check=check)
    results = msgspec.structs.replace(results, rows=[*results.rows, row])
    sentence = "reads 38.40 % of 500 digits as stated (0 to 1), 96.60 % with -1 to 1: add --peer-input float-1-1."

    assert doubt_peers(results) == [f"Peer theirs.onnx {sentence}"]
    assert sentence in format_csv(results)


def test_of_several_outputs_of_ten_numbers_one_must_be_named(tmp_path: Path, sample: mnist.Images) -> None:
    path = _nearest_mean(tmp_path / "peer.onnx", sample, "float01", ("digits", "opposite"))
    images = sample.take(np.arange(0, 5_000, 100))

    with pytest.raises(RuntimeUnavailableError, match=r"2 of its outputs have ten numbers, digits \[1, 10\], opposite"):
        _load(path, "float01")
    with pytest.raises(RuntimeUnavailableError, match=r"--peer-output letters: its outputs are digits \[1, 10\]"):
        _load(path, "float01", "letters")
    right = (_load(path, "float01", "digits").logits(images.pixels).argmax(axis=1) == images.labels).mean()
    wrong = (_load(path, "float01", "opposite").logits(images.pixels).argmax(axis=1) == images.labels).mean()

    assert right > 0.7
    assert wrong < 0.2


def test_a_benchmark_says_which_convention_fits(exported: Bundle, tmp_path: Path, sample: mnist.Images) -> None:
    path = _nearest_mean(tmp_path / "theirs.onnx", sample, "float-1-1", ("opposite", "digits"))
    options: tuple[Any, ...] = ("--peer", path, "--peer-input", "float01-inverted", "--peer-output", "opposite")

    result = edge_mnist("benchmark", exported.path, "--quick", "--calls", 10, *options, "--out", tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert "Peer theirs.onnx reads " in result.stdout
    assert " of 500 digits as stated (0 to 1, inverted)" in result.stdout
