"""`edge_mnist.benchmark` measures what the command measures, and refuses what it refuses."""

from typing import Any

import pytest

import edge_mnist
from edge_mnist.benchmarks.measuring.settings import FULL, QUICK, choose_settings
from edge_mnist.edge.common.errors import EdgeMnistError
from tests.conftest import edge_mnist as run_command


def test_benchmark_returns_a_row_for_each_file_on_the_runtime() -> None:
    results = edge_mnist.benchmark("nano", quick=True, runtimes=["litert"], rounds=3)

    assert {row.file for row in results.rows} == {"nano-float32.tflite", "nano-int8.tflite"}
    assert all(row.latency and row.accuracy and row.accuracy.share > 0.98 for row in results.rows)
    assert (results.settings.rounds, results.settings.is_quick) == (3, True)
    assert repr(results) == "Results('nano', 2 of 2 rows measured on this machine)"


def test_settings_start_from_the_usual_extents() -> None:
    assert choose_settings() == FULL
    assert choose_settings(quick=True, rounds=None, threads=[]) == QUICK
    assert choose_settings(quick=True, seed=7, threads=[0, 2]).threads == [0, 2]


@pytest.mark.parametrize(
    ("changes", "message", "option"),
    [
        ({"rounds": 2}, "expected rounds of at least 3, got 2", ("--rounds", 2)),
        ({"calls": 0}, "expected calls of at least 10, got 0", ("--calls", 0)),
        ({"batches": [8, 1]}, "expected batches of at least 2, got 1", ("--batch", 1)),
        ({"threads": [-1]}, "expected threads of at least 0, got -1", ("--threads", -1)),
        ({"seconds": 0}, "expected seconds above 0 and at most 3600, got 0", ("--seconds", 0)),
        ({"runtimes": ["tensorrt"]}, "expected a runtime among litert, .* got 'tensorrt'", ("--target", "tensorrt")),
    ],
    ids=str,
)
def test_what_the_command_refuses_is_one_sentence(changes: dict[str, Any], message: str, option: tuple) -> None:
    with pytest.raises(EdgeMnistError, match=message):
        choose_settings(**changes)
    assert run_command("benchmark", "nano", *option).exit_code == 2


def test_benchmark_of_a_model_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(EdgeMnistError, match="nowhere: not a bundle"):
        edge_mnist.benchmark("nowhere")
