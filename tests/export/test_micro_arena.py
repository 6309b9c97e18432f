"""The arena: the smallest in which TFLite Micro runs a file, found by running it."""

import importlib.util
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.export.errors import ExportError
from edge_mnist.export.formats.micro_arena import ALIGNMENT, _run, measure_arena

from .test_micro_model import NAME, changed

needs_tflite_micro = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="needs tflite-micro: pip install edge-mnist[micro]"
)


@pytest.fixture(scope="module")
def content() -> bytes:
    return (SHIPPED / NAME).read_bytes()


@needs_tflite_micro
def test_the_network_runs_in_its_arena_and_in_none_that_is_smaller(content: bytes) -> None:
    arena = measure_arena(content)

    # The second convolution's input and output, 14x14 of 16 and of 32 channels, bytes each, are there together.
    assert arena is not None
    assert 14 * 14 * (16 + 32) < arena < 2 * 14 * 14 * (16 + 32)
    assert arena % ALIGNMENT == 0
    assert _run(content, arena) == arena
    assert _run(content, arena - ALIGNMENT) is None


@needs_tflite_micro
def test_an_arena_that_only_planning_needs_is_found_too(content: bytes) -> None:
    def add_constants(model: Any) -> None:
        bias = next(tensor for tensor in model.subgraphs[0].tensors if tensor.type == schema.TensorType.INT32)
        model.subgraphs[0].tensors.extend([bias] * 1_000)

    crowded = changed(content, add_constants)
    arena = measure_arena(crowded)

    # TfLiteEvalTensor stays, AllocationInfo is needed while buffers are planned; on 64 bits.
    assert arena is not None
    assert arena > 1_000 * (24 + 32)
    assert _run(crowded, arena) is not None
    assert _run(crowded, arena - ALIGNMENT) is None


@needs_tflite_micro
def test_a_network_that_needs_more_than_any_board_has_is_refused(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_mnist.export.formats.micro_arena.MOST_BYTES", 4096)

    with pytest.raises(ExportError, match="does not run this file in an arena of 4,096 bytes"):
        measure_arena(content)


def test_without_tflite_micro_nothing_is_measured(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert measure_arena(content) is None
