"""The zoo side by side: cards are believed, latencies take turns, and claims are compared with the lowest figure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.studies.networks.zoo import _check_alike, run_zoo, time_in_turns
from edge_mnist.benchmarks.studies.networks.zoo_report import (
    describe_claims,
    draw_zoo,
    format_claims,
    format_models,
    format_zoo,
)
from edge_mnist.benchmarks.studies.networks.zoo_results import (
    Ratio,
    Timed,
    Zoo,
    ZooFile,
    ZooModel,
    ZooPeer,
    ZooSettings,
)
from edge_mnist.benchmarks.targets.peers import describe_peer
from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.common.machine import describe_host
from edge_mnist.edge.data import held_out as mnist
from tests.conftest import edge_mnist

FEW = ZooSettings(rounds=2, turns=2)


def _model(network: str, recipe_of: Any = "edge-mnist", correct: int = 9_950, **changes: Any) -> ZooModel:
    names = [("tflite", "float32"), ("onnx", "float32"), ("tflite", "int8"), ("onnx", "int8")]
    files = [
        ZooFile(
            name=f"{network}-{precision}.{format_}",
            format=format_,
            precision=precision,
            runtime=f"{format_} 1.0",
            size_bytes=1000 + i,
            correct=correct - i,
            validation_correct=4_970 + i if precision == "int8" else None,
        )
        for i, (format_, precision) in enumerate(names)
    ]
    return ZooModel(
        **{
            "bundle": f"{network}-{recipe_of}", "card_sha256": "c" * 64, "network": network, "recipe_of": recipe_of,
            "command": f"edge-mnist train --model {network}", "device": "tensorflow on CPU:0", "seed": 1, "epochs": 5,
            "best_epoch": 4, "parameters": 1234, "macs": 5_600_000, "validation": 0.9965, "validation_count": 5_000,
            "keras_correct": correct, "files": files, "timed": Timed(p50_us=20.0, rounds=[[20.0]]),
            "ratios": [Ratio(to="theirs.tflite", ratio=0.5, interval=(0.4, 0.6))],
        } | changes
    )  # fmt: skip


def _zoo(*models: ZooModel) -> Zoo:
    host = describe_host()
    peer = ZooPeer(
        name="theirs.tflite",
        sha256="d" * 64,
        size_bytes=99,
        correct=9_800,
        timed=Timed(p50_us=40.0, rounds=[[40.0]]),
    )
    return Zoo(
        edge_mnist="0.1.0",
        runtime="litert 2.3.0",
        started="2026-01-01T00:00:00+00:00",
        settings=FEW,
        host_before=host,
        host_after=host,
        evaluated_on="mnist-test-10k",
        count=10_000,
        models=list(models),
        peers=[peer],
    )


def test_cards_are_believed_and_latencies_measured(exported: Bundle) -> None:
    file = exported.file("tflite", "int8")
    peer = describe_peer(exported.path / file.record.name, "uint8")

    results = run_zoo([exported.path], [peer], settings=FEW)

    (model,), (other,) = results.models, results.peers
    assert (model.bundle, model.network, model.recipe_of) == ("small", "standard", "edge-mnist")
    assert model.file("tflite", "int8").correct == file.verification.correct == other.correct
    assert file.quantization is not None
    assert model.file("tflite", "int8").validation_correct == file.quantization.chosen.correct
    assert model.file("onnx", "float32").validation_correct is None
    assert np.array(model.timed.rounds).shape == (2, 2)
    assert model.timed.p50_us == pytest.approx(np.median(model.timed.rounds), abs=0.01)
    # The very same file.
    assert model.ratios[0].to == file.record.name
    assert model.ratios[0].ratio == pytest.approx(model.timed.p50_us / other.timed.p50_us)
    assert model.ratios[0].interval[0] <= model.ratios[0].ratio <= model.ratios[0].interval[1]


def test_a_peer_that_is_replaced_meanwhile_is_refused(exported: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "peer.tflite"
    path.write_bytes((exported.path / exported.file("tflite", "int8").record.name).read_bytes())
    peer = describe_peer(path, "uint8")
    path.write_bytes((exported.path / exported.file("tflite", "float32").record.name).read_bytes())

    with pytest.raises(BenchmarkError, match=r"peer\.tflite: was replaced by another file while it was loaded"):
        run_zoo([exported.path], [peer], settings=FEW)


def test_each_has_as_many_turns_and_sees_the_same_images(sample: mnist.Images) -> None:
    seen: list[list[int]] = [[], [], []]
    calls = [lambda image, own=own: own.append(int(image.sum())) for own in seen]

    times = time_in_turns(calls, sample, ZooSettings(rounds=3, turns=4))

    assert times.shape == (3, 3, 4)
    assert (times > 0).all()
    # A round to warm up, and in each turn the first image twice.
    assert [len(own) for own in seen] == 3 * [4 * 4 * 101]
    assert seen[0] == seen[1] == seen[2]


def test_other_images_do_not_compare(exported: Bundle) -> None:
    first, *rest = exported.export.evaluations
    other = msgspec.structs.replace(first, images=msgspec.structs.replace(first.images, name="other"))
    export = msgspec.structs.replace(exported.export, evaluations=(other, *rest))
    moved = replace(exported, card=msgspec.structs.replace(exported.card, export=export))

    with pytest.raises(BenchmarkError, match=r"on other\. Export both"):
        _check_alike([exported, moved])


def test_what_is_missing_is_said_before_anything_is_timed(exported: Bundle) -> None:
    card = exported.card
    untold = replace(exported, card=msgspec.structs.replace(card, training=None))
    files = tuple(file for file in exported.files if (file.format, file.precision) != ("onnx", "int8"))
    fewer = msgspec.structs.replace(card, export=msgspec.structs.replace(exported.export, files=files))

    with pytest.raises(BenchmarkError, match="its card does not describe its training"):
        _check_alike([exported, untold])
    with pytest.raises(ModelCardError, match="has no onnx int8 file"):
        _check_alike([exported, replace(exported, card=fewer)])


def test_a_line_says_what_a_network_reaches_and_costs() -> None:
    text = format_models(_zoo(_model("nano"), _model("two-conv-122k", "description")))

    nano, described, peer = (line.split("|") for line in text.splitlines()[2:])
    assert [cell.strip() for cell in nano[1:-1]] == [
        "nano", "ours", "1,234", "5.60", "99.50", "99.49", "99.48", "99.47", "+0.02", "1,002", "20.0", "0.50",
    ]  # fmt: skip
    assert described[2].strip() == "as described"
    assert [peer[i].strip() for i in (1, 5, 10, 11)] == ["theirs.tflite", "98.00", "99", "40.0"]


def test_claims_are_compared_with_the_lowest_of_the_same_split() -> None:
    results = _zoo(
        _model("batchnorm-905k", "description", correct=9_927),
        _model("batchnorm-905k", correct=9_935),
        _model("dropout-cnn"),
        _model("nano"),
    )

    batchnorm, dropout = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in format_claims(results).splitlines()[2:]
    )
    assert batchnorm == ["batchnorm-905k", "99.27 % test", "99.24 test", "-0.03", "99.32 test", "+0.05"]
    # 4,972 of 5,000, of the worse int8 file, is less than the Keras model's 99.65 %.
    assert dropout == ["dropout-cnn", "99.73 % validation", "", "", "99.44 val.", "-0.29"]
    short = [sentence for sentence in describe_claims(results) if "does not exceed" in sentence]
    assert short == [
        "`batchnorm-905k` as described does not exceed its claim: 99.24 %, claimed: 99.27 % test.",
        "`dropout-cnn` with our recipe does not exceed its claim: 99.44 %, claimed: 99.73 % validation.",
    ]


def test_claims_about_mnist_stand_beside_no_other_images() -> None:
    model = _model("batchnorm-905k", "description", correct=9_000)
    of_mnist, of_clothes = _zoo(model), msgspec.structs.replace(_zoo(model), evaluated_on="fashion-mnist-test-10k")

    page, drawings = format_zoo(of_clothes), draw_zoo(of_clothes)

    assert format_claims(of_clothes) == ""
    assert describe_claims(of_clothes) == []
    assert "claim" in format_zoo(of_mnist)
    assert "claim" not in page
    assert all("99.27 %" in drawing for drawing in draw_zoo(of_mnist).values())
    assert not any("99.27 %" in drawing for drawing in drawings.values())


def test_a_peer_that_litert_does_not_run_is_refused_before_anything_else(tmp_path: Path) -> None:
    peer = tmp_path / "theirs.onnx"
    peer.write_bytes(b"\x08\x08:\x00")

    with pytest.raises(BenchmarkError, match=r"theirs\.onnx: expected a \.tflite file"):
        run_zoo([tmp_path / "nowhere"], [describe_peer(peer, "uint8")])


def test_of_two_bundles_of_a_network_validation_chooses() -> None:
    results = _zoo(
        _model("two-conv-122k", correct=9_900, validation=0.991),
        _model("two-conv-122k", correct=9_800, validation=0.992),
    )

    assert "97.97 test" in format_claims(results)


def test_a_network_is_drawn_by_our_recipe_or_else_as_described() -> None:
    described = _model("two-conv-122k", "description", correct=9_900)

    alone, both = draw_zoo(_zoo(described))["latency"], draw_zoo(_zoo(described, _model("two-conv-122k")))["latency"]

    assert "two-conv-122k-int8.tflite on tflite 1.0: 98.98 %" in alone
    assert "two-conv-122k-int8.tflite on tflite 1.0: 99.48 %" in both
    assert "98.98 %" not in both
    assert "theirs.tflite on litert 2.3.0: 98.00 %" in both


def test_the_command_writes_the_reports(exported: Bundle, tmp_path: Path) -> None:
    peer, reads = exported.path / exported.file("tflite", "int8").record.name, "uint8"

    result = edge_mnist("measure", "zoo", exported.path, "--peer", peer, "--peer-input", reads, "--out", tmp_path)

    assert result.exit_code == 0, result.output
    results = msgspec.json.decode((tmp_path / "zoo.json").read_bytes(), type=Zoo)
    assert (tmp_path / "zoo.md").read_text() == format_zoo(results)
    assert {path.name for path in tmp_path.iterdir()} == {"zoo.json", "zoo.md", "zoo-latency.svg", "zoo-size.svg"}
    assert "train --model standard" in (tmp_path / "zoo.md").read_text()
    assert format_models(results, "simple") in result.stdout


@pytest.mark.parametrize(
    ("peers", "inputs", "message"),
    [
        (1, (), "--peer needs --peer-input"),
        (2, ("uint8", "uint8", "uint8"), "got 3 for 2 peers"),
        (0, ("uint8",), "got 1 for 0 peers"),
    ],
)
def test_peers_and_what_they_read_go_together(
    exported: Bundle, peers: int, inputs: tuple[str, ...], message: str
) -> None:
    file = exported.path / exported.file("tflite", "int8").record.name
    options = [*peers * ("--peer", file), *(word for one in inputs for word in ("--peer-input", one))]

    result = edge_mnist("measure", "zoo", exported.path, *options)

    assert result.exit_code == 2
    assert message in result.stderr
