"""A TFLite file without what no runtime needs: smaller, and with fewer operators, but the same numbers come out."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert.schema_py_generated import BuiltinOperator
from numpy.typing import NDArray

from .tflite_graph import operator_kind, pack, unpack

CONVERTER_ENTRY = b"CONVERSION_METADATA"
# What an operator's list has in place of an input that it does without.
NO_TENSOR = -1
# A reshape, and what the converter computes its shape with.
RESHAPING = {BuiltinOperator.RESHAPE, BuiltinOperator.SHAPE, BuiltinOperator.STRIDED_SLICE, BuiltinOperator.PACK}


def slim(content: bytes) -> bytes:
    """Leave out what no runtime needs, a tenth of the smallest files.

    Each tensor is named after one layer, not after all that were fused into it with their operations:
    `net_1/re_lu_4_1/Relu;net_1/conv2d_4_1/convolution` becomes `re_lu_4_1`, and a name that is taken gets a number. All
    empty buffers become the first, which the schema keeps empty. A signature takes `pixels` and gives `logits`. The
    converter's record of its own options goes; which converter it was, the card says.

    Nothing is flattened before a dense operator, which does that itself. The converter has the shape computed while it
    runs, as the number of images is open; XNNPACK computes no shapes, and would take the network in two parts.
    """
    model = unpack(content)
    for index, graph in enumerate(model.subgraphs):
        _flatten_by_dense(model, graph)
        _drop_idle_reshaping(model, graph)
        _drop_unused_tensors(graph, [entry for entry in model.signatureDefs or [] if entry.subgraphIndex == index])
        _name_after_layers(graph)
    _name_signatures(model)
    _drop_unused_codes(model)
    model.metadata = [entry for entry in model.metadata or [] if entry.name != CONVERTER_ENTRY]
    _drop_unused_buffers(model)
    return pack(model, len(content))


def _name_signatures(model: Any) -> None:
    """Call what a signature takes `pixels` and what it gives `logits`, whatever the converter called them."""
    for signature in model.signatureDefs or []:
        for entries, name in ((signature.inputs, b"pixels"), (signature.outputs, b"logits")):
            if len(entries) == 1:
                entries[0].name = name


def _flatten_by_dense(model: Any, graph: Any) -> None:
    """Dense operators read what is flattened for them as it is: they divide the count of numbers by what they take."""
    makers = {int(index): operator for operator in graph.operators for index in operator.outputs}
    for operator in graph.operators:
        if (
            operator_kind(model, operator) == BuiltinOperator.FULLY_CONNECTED
            and not operator.builtinOptions.keepNumDims
        ):
            flatten = makers.get(int(operator.inputs[0]))
            if flatten is not None and operator_kind(model, flatten) == BuiltinOperator.RESHAPE:
                operator.inputs = np.array([flatten.inputs[0], *operator.inputs[1:]], np.int32)


def _drop_idle_reshaping(model: Any, graph: Any) -> None:
    """Without operators that reshape for nobody."""
    kept, read = [], {int(index) for index in graph.outputs}
    for operator in reversed(graph.operators):
        if operator_kind(model, operator) not in RESHAPING or read.intersection(map(int, operator.outputs)):
            kept.insert(0, operator)
            read.update(map(int, operator.inputs))
    graph.operators = kept


def _drop_unused_tensors(graph: Any, signatures: list[Any]) -> None:
    used = {int(index) for indices in _references(graph) for index in indices} - {NO_TENSOR}
    places = {old: new for new, old in enumerate(sorted(used))} | {NO_TENSOR: NO_TENSOR}
    graph.tensors = [graph.tensors[index] for index in sorted(used)]
    for indices in _references(graph):
        indices[:] = [places[int(index)] for index in indices]
    for signature in signatures:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = places[entry.tensorIndex]


def _references(graph: Any) -> Iterator[NDArray[np.int32]]:
    """All lists of tensors, to be read or changed."""
    for owner, fields in (
        (graph, "inputs outputs"),
        *((one, "inputs outputs intermediates") for one in graph.operators),
    ):
        for field in fields.split():
            if getattr(owner, field) is not None:
                # What was unpacked from a file cannot be written to.
                setattr(owner, field, np.array(getattr(owner, field), np.int32))
                yield getattr(owner, field)


def _drop_unused_codes(model: Any) -> None:
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    kept = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = kept.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[place] for place in kept]


def _drop_unused_buffers(model: Any) -> None:
    users = [*(tensor for graph in model.subgraphs for tensor in graph.tensors), *model.metadata]
    for user in users:
        data = model.buffers[user.buffer].data
        user.buffer = 0 if data is None or not len(data) else user.buffer
    kept = sorted({0, *(user.buffer for user in users)})
    for user in users:
        user.buffer = kept.index(user.buffer)
    model.buffers = [model.buffers[place] for place in kept]


def _name_after_layers(graph: Any) -> None:
    ends: dict[int, str] = {int(index): "pixels" for index in graph.inputs}
    ends |= {int(index): "logits" for index in graph.outputs}
    taken: Counter[str] = Counter()
    for index, tensor in enumerate(graph.tensors):
        path = tensor.name.decode().partition(";")[0].split("/")
        # Once shortened, a name stays as it is.
        short = ends.get(index) or (path[-2] if len(path) > 1 else path[0])
        taken[short] += 1
        tensor.name = (f"{short}.{taken[short]}" if taken[short] > 1 else short).encode()
