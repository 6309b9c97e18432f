"""The memory that a network needs in TFLite Micro: the arena, which firmware reserves before anything has run.

It is divided as TFLite Micro divides it: activations planned by lifetime from one end (`plan_buffers`), structs and the
kernels' own data from the other. `docs/decisions/measure_arena.py` compares the estimate with the smallest arena in
which tflite-micro 0.dev20261023182759 (x86-64, reference kernels) allocates and runs. On the zoo and eleven networks of
other layers the estimate was never too small, and too large by 0.2 to 8.9 %, 64 to 1,264 bytes.

What the estimate cannot know:
    Pointers: the sizes of structs are those of a 64-bit host. Where pointers have 32 bits, TFLite Micro needs less.
    Optimized kernels: CMSIS-NN, ESP-NN and the like request scratch buffers of their own, which come on top.
    Operators that no measured network has: taken to keep no more data than a convolution, and no scratch buffer.
`MicroInterpreter::arena_used_bytes()` on the device reports the true size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .micro_model import MicroModel, MicroOperator

# TFLite Micro aligns buffers to 16 bytes, and requires the same of the arena and of the model.
ALIGNMENT = 16

# Persistent data in TFLite Micro, 64 bits, as its RecordingMicroAllocator itemizes them: allocators and planner;
# TfLiteEvalTensor; NodeAndRegistration; TfLiteTensor and quantization of input and output. A kernel's data and
# parsed options are not itemized by operator: 108 bytes for a convolution, and no more than that for the others.
FIXED_BYTES, TENSOR_BYTES, NODE_BYTES, ENDS_BYTES, KERNEL_BYTES = 512, 24, 64, 192, 112
# Operators that keep an int32 multiplier and an int32 shift for each output channel.
PER_CHANNEL = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
# Operators that sum in a scratch buffer: an int32 for each output element.
SUMMING = {"MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM", "TRANSPOSE_CONV"}
# Temporary data, also 64 bits. While a kernel prepares: its tensors' descriptions, and room for 12 scratch requests.
# While buffers are planned: AllocationInfo for each tensor, and the planner's own lists for each buffer.
DESCRIPTION_BYTES, REQUESTS_BYTES, INFO_BYTES, LISTS_BYTES = 96, 144, 32, 40


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed from the first to the last of these steps, both included."""

    size_bytes: int
    first_step: int
    last_step: int


def estimate_arena(model: MicroModel) -> int:
    """Estimate how many bytes TFLite Micro needs beside the model itself, see the module's docstring.

    Three moments decide: running, planning the buffers, and preparing the operator with the most channels. Persistent
    data are there in all three.

    Returns:
        A multiple of 16, for an arena that is itself aligned to 16 bytes.
    """
    lasting, preparing = FIXED_BYTES + ENDS_BYTES + TENSOR_BYTES * len(model.tensors), 0
    for operator in model.operators:
        lasting += NODE_BYTES + KERNEL_BYTES + _copied_bytes(operator)
        tensors = (*operator.inputs, *operator.outputs)
        preparing = max(preparing, sum(DESCRIPTION_BYTES + 4 * len(tensor.scales) for tensor in tensors))
    buffers = _list_buffers(model)
    ends = (offset + buffer.size_bytes for offset, buffer in zip(plan_buffers(buffers), buffers, strict=True))
    planning = INFO_BYTES * (len(model.tensors) + len(model.operators)) + LISTS_BYTES * len(buffers)
    return _aligned(lasting) + _aligned(max(*ends, planning, REQUESTS_BYTES + preparing))


def plan_buffers(buffers: Sequence[Buffer]) -> tuple[int, ...]:
    """Place buffers so that those needed at the same time do not overlap: largest first, into the lowest gap that fits.

    Args:
        buffers: Buffers in the order in which TFLite Micro adds them. Of equal ones it places the later first.

    Returns:
        The offset of each buffer, in bytes.

    Source: tensorflow/tflite-micro, tensorflow/lite/micro/memory_planner/greedy_memory_planner.h.
    """
    offsets: dict[int, int] = {}
    for index in sorted(range(len(buffers)), key=lambda index: (-buffers[index].size_bytes, -index)):
        wanted, offset = buffers[index], 0
        for other in sorted(offsets, key=offsets.__getitem__):
            placed = buffers[other]
            if wanted.first_step > placed.last_step or placed.first_step > wanted.last_step:
                continue
            if offsets[other] - offset >= wanted.size_bytes:
                break
            offset = max(offset, offsets[other] + placed.size_bytes)
        offsets[index] = offset
    return tuple(offsets[index] for index in range(len(buffers)))


def _copied_bytes(operator: MicroOperator) -> int:
    """Count the bytes of the kernel's own data that grow with its tensors."""
    if operator.name in PER_CHANNEL:
        # Dense weights may also have a single scale.
        scales = max(len(tensor.scales) for tensor in operator.inputs)
        channels = scales if operator.name == "FULLY_CONNECTED" else operator.outputs[0].channels
        return 2 * _aligned(4 * channels)
    # BATCH_MATMUL reads its left factor by rows and its right one by columns, and transposes a copy if necessary.
    copied = zip(operator.inputs, operator.transposes, (True, False), strict=False)
    return sum(_aligned(tensor.size_bytes) for tensor, transposes, by_rows in copied if transposes == by_rows)


def _list_buffers(model: MicroModel) -> list[Buffer]:
    """List the buffers in the arena while the network runs: tensors that are not constant, then kernels' scratch."""
    first, last = {model.pixels.index: 0}, {model.logits.index: len(model.operators)}
    scratch: list[Buffer] = []
    for step, operator in enumerate(model.operators, start=1):
        first |= {tensor.index: step for tensor in operator.outputs}
        used = (*operator.inputs, *operator.outputs)
        last |= {tensor.index: max(step, last.get(tensor.index, 0)) for tensor in used}
        if operator.name in SUMMING:
            scratch.append(Buffer(_aligned(4 * operator.outputs[0].elements), step, step))
    return [
        Buffer(_aligned(tensor.size_bytes), first[tensor.index], last.get(tensor.index, first[tensor.index]))
        for tensor in model.tensors
        if tensor.index in first
    ] + scratch


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT
