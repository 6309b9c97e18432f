"""The arena's estimate: plans that hold, and every moment at which a network can need the most."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.export.formats.micro_arena import Buffer, estimate_arena, plan_buffers
from edge_mnist.export.formats.micro_model import read_micro_model

from .test_micro_model import NAME, changed


@pytest.fixture(scope="module")
def content() -> bytes:
    return (SHIPPED / NAME).read_bytes()


def _estimate(content: bytes) -> int:
    return estimate_arena(read_micro_model(content, NAME))


@pytest.mark.parametrize(
    ("buffers", "offsets"),
    [
        ([Buffer(32, 0, 1), Buffer(64, 1, 2), Buffer(16, 2, 3)], (64, 0, 64)),
        # The first has gone before the third is needed, so they take turns.
        ([Buffer(48, 0, 0), Buffer(16, 0, 1), Buffer(48, 1, 1)], (0, 48, 0)),
        # The smallest fits into the gap that the second leaves when it has gone.
        ([Buffer(96, 0, 3), Buffer(64, 0, 0), Buffer(48, 0, 3), Buffer(32, 1, 3)], (0, 96, 160, 96)),
        # So does, exactly, the second into the one that the last leaves.
        ([Buffer(96, 0, 3), Buffer(64, 1, 3), Buffer(64, 0, 3), Buffer(64, 0, 0)], (0, 96, 160, 96)),
        # Of equal ones the later goes first.
        ([Buffer(16, 0, 0), Buffer(16, 0, 0)], (16, 0)),
        ([], ()),
    ],
    ids=["largest first", "in turns", "gap", "exact gap", "equal", "none"],
)
def test_plans_are_those_worked_out_by_hand(buffers: list[Buffer], offsets: tuple[int, ...]) -> None:
    assert plan_buffers(buffers) == offsets


def test_no_plan_overlaps_in_space_and_time() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        buffers = [
            Buffer(16 * int(size), int(first), int(first + length))
            for size, first, length in generator.integers((1, 0, 0), (40, 20, 6), size=(30, 3))
        ]

        offsets = plan_buffers(buffers)

        for step in range(26):
            alive = sorted(
                (offset, offset + buffer.size_bytes)
                for offset, buffer in zip(offsets, buffers, strict=True)
                if buffer.first_step <= step <= buffer.last_step
            )
            assert all(end <= start for (_, end), (start, _) in itertools.pairwise(alive))


def test_the_arena_holds_the_largest_step_and_little_more(content: bytes) -> None:
    # The second convolution's input and output, 14x14 of 16 and of 32 channels, bytes each.
    largest_step = 14 * 14 * (16 + 32)

    arena = _estimate(content)

    assert arena % 16 == 0
    # Measured with tflite-micro 0.dev20261023182759: 14,512 bytes. See docs/decisions/measure_arena.py.
    assert largest_step < 14_512 <= arena <= 1.15 * 14_512


def test_a_wider_batch_needs_a_larger_arena(content: bytes) -> None:
    def double(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            if tensor.shapeSignature is not None:
                tensor.shape = [2, *tensor.shape[1:]]

    once, twice = _estimate(content), _estimate(changed(content, double))

    # The outputs of the last three convolutions lie side by side, though only two of them are needed at a time: the
    # plan puts the largest buffers first, and this is 64 bytes more than the largest step.
    assert twice - once == 2 * 7 * 7 * 64 + 5 * 5 * 128


def test_planning_can_need_the_largest_arena(content: bytes) -> None:
    def add_constants(model: Any) -> None:
        bias = next(tensor for tensor in model.subgraphs[0].tensors if tensor.type == schema.TensorType.INT32)
        model.subgraphs[0].tensors.extend([bias] * 1_000)

    arena = _estimate(changed(content, add_constants))

    # TfLiteEvalTensor and AllocationInfo, on 64 bits.
    assert arena > 1_000 * (24 + 32)


def test_preparing_can_need_the_largest_arena(content: bytes) -> None:
    def widen(model: Any) -> None:
        weights = model.subgraphs[0].tensors[model.subgraphs[0].operators[-1].inputs[1]]
        weights.quantization.scale, weights.quantization.zeroPoint = [1.0] * 10_000, [0] * 10_000

    arena = _estimate(changed(content, widen))

    # Multipliers and shifts stay; zero points come and go.
    assert 10_000 * (4 + 4 + 4) < arena < 10_000 * (4 + 4 + 4) + 24_368


def test_a_mean_sums_in_scratch_memory(content: bytes) -> None:
    def widen(model: Any) -> None:
        model.subgraphs[0].tensors[model.subgraphs[0].operators[-2].outputs[0]].shape = [1, 10_000]

    arena = _estimate(changed(content, widen))

    # Its input, 5x5 of 128 channels, its output, and an int32 for each of that.
    assert arena > 5 * 5 * 128 + 10_000 + 4 * 10_000


def test_a_matrix_product_keeps_a_transposed_copy(content: bytes) -> None:
    def product(is_transposed: bool) -> Callable[[Any], None]:
        def change(model: Any) -> None:
            operator = model.subgraphs[0].operators[-2]
            code = model.operatorCodes[operator.opcodeIndex]
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.BATCH_MATMUL
            operator.inputs = [operator.inputs[0], operator.inputs[0]]
            operator.builtinOptionsType = schema.BuiltinOptions.BatchMatMulOptions
            operator.builtinOptions = schema.BatchMatMulOptionsT(adjY=is_transposed)

        return change

    as_it_is, transposed = (_estimate(changed(content, product(value))) for value in (False, True))

    assert as_it_is - transposed == 5 * 5 * 128
