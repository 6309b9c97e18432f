"""Names in an ONNX graph: the same whatever numbers the converter counted."""

import onnx
from onnx import TensorProto, helper

from edge_mnist.export.formats.onnx_names import name_tensors


def _converted(starts: str, ends: str, ends_first: bool) -> onnx.ModelProto:
    """A graph as the converter may write it: its constants with these names and in this order."""
    constants = [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in ((starts, 0), (ends, 1))]
    graph = helper.make_graph(
        [helper.make_node("Slice", ["pixels", starts, ends, starts], ["sliced__90"], name="slice__91")],
        "graph",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["unk__1", 4])],
        [helper.make_tensor_value_info("sliced__90", TensorProto.FLOAT, ["unk__2", 4])],
        constants[::-1] if ends_first else constants,
    )
    return helper.make_model(graph)


def test_names_and_order_do_not_depend_on_the_converters_counter_or_on_which_equal_constant_it_kept() -> None:
    one, other = (
        _converted("const_starts__7", "const_ends__8", False),
        _converted("const_axes__31", "const_ends__3", True),
    )

    name_tensors(one, "logits")
    name_tensors(other, "logits")

    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    assert [constant.name for constant in one.graph.initializer] == ["constant__2", "constant__3"]
    assert one.graph.output[0].name == one.graph.node[0].output[0] == "logits"
    assert {one.graph.input[0].type.tensor_type.shape.dim[0].dim_param} == {"N"}
