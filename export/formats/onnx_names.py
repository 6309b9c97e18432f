"""Names within an ONNX graph: the same ones each time, and `logits` at its end."""

import re

import onnx

# The converter numbers names by a counter of its own, in an order that differs from run to run; where constants are
# equal, it keeps the name of one of them, which also differs.
NUMBERED = re.compile(r"__\d+")


def name_tensors(proto: onnx.ModelProto, output: str) -> None:
    """Name the output and the batch dimension `N`, and number all other names in the order of the graph.

    Constants are in the order of their names.

    Args:
        proto: A model with one input and one output; it is changed.
        output: Name of the output.
    """
    graph = proto.graph
    new = {graph.output[0].name: output}
    constants = {constant.name for constant in graph.initializer}

    def rename(name: str) -> str:
        if name not in new:
            stem = "constant" if name in constants else NUMBERED.sub("", name)
            new[name] = f"{stem}__{len(new)}" if NUMBERED.search(name) else name
        return new[name]

    for node in graph.node:
        node.input[:] = map(rename, node.input)
        node.output[:] = map(rename, node.output)
        node.name = rename(node.name)
    for value in (*graph.initializer, *graph.value_info, *graph.output):
        value.name = rename(value.name)
    graph.initializer.sort(key=lambda constant: constant.name)
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
