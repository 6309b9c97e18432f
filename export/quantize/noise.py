"""Where quantization noise arises: each layer's output in an int8 file, compared with the same network in float.

The float network has the weights that the int8 file was made from before they were rounded, since equalizing changes
the outputs of layers (though not those of the network).
"""

import re
import warnings
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from onnx import helper

from ...edge.bundle.export_record import LayerNoise
from ...edge.common.native_log import quiet_native_log
from ...edge.common.scratch import scratch_folder
from ..adoption.source import behind_scaling, input_scale
from ..formats import onnx as onnx_format
from ..formats import tflite
from .sweep import signal_to_noise_db

# Number of images to average over; noise differs little between them.
IMAGES = 50
Activations = dict[str, NDArray[np.float32]]


def tflite_noise(model: keras.Model, int8: bytes, pixels: NDArray[np.uint8]) -> tuple[LayerNoise, ...]:
    """Measure the noise of each layer of an int8 TFLite file.

    Args:
        model: The network that the file was made from, before rounding.
        int8: The file's content.
        pixels: Images, uint8 [N, 28, 28, 1], of which the first 50 are used.
    """
    images = pixels[:IMAGES]
    expected = _tflite_activations(
        tflite.convert_float32(behind_scaling(model)), images * np.float32(input_scale(model))
    )
    return _compare(model, expected, _tflite_activations(int8, images))


def onnx_noise(model: keras.Model, int8: bytes, pixels: NDArray[np.uint8]) -> tuple[LayerNoise, ...]:
    """Measure the noise of each layer of an int8 ONNX file; arguments as for `tflite_noise`."""
    images = pixels[:IMAGES]
    quantized = onnx.load_from_string(int8)
    # A quantized tensor `x` is restored by the DequantizeLinear after its QuantizeLinear.
    codes = {node.output[0]: node.input[0] for node in quantized.graph.node if node.op_type == "QuantizeLinear"}
    restored = {
        node.output[0]: codes[node.input[0]]
        for node in quantized.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in codes
    } | {onnx_format.OUTPUT: onnx_format.OUTPUT}
    with scratch_folder() as folder:
        onnx_format.prepare_for_quantization(model, folder / "float")
        float_graph = onnx.load(folder / "float")
    expected = _onnx_activations(float_graph, restored.values(), images * np.float32(input_scale(model)))
    found = _onnx_activations(quantized, restored, images)
    return _compare(model, expected, {restored[name]: values for name, values in found.items()})


def _compare(model: keras.Model, expected: Activations, found: Activations) -> tuple[LayerNoise, ...]:
    """Compute the noise of common tensors, by the layer that computes them; of several, the last counts."""
    shared = [name for name in expected if name in found and expected[name].shape == found[name].shape]
    noise: dict[str, float] = {}
    for name, layer in zip(shared, name_layers(shared, [layer.name for layer in model.layers]), strict=True):
        noise[layer] = signal_to_noise_db(expected[name], found[name])
    return tuple(LayerNoise(layer=layer, snr_db=snr_db) for layer, snr_db in noise.items())


def name_layers(tensors: Iterable[str], layers: list[str]) -> list[str]:
    """Find the Keras layer that computed each of a converter's tensors.

    Converters name them "model_1/conv2d_1_2/Relu;..." for the layer conv2d_1: a scope's number grows each time it is
    entered. Only the order shows which digits are the layer's own, so each layer is taken once, in order.

    Args:
        tensors: Names, in the order of the network.
        layers: The model's layers, in the same order.

    Returns:
        For each tensor a layer's name; "logits" for the last, and the tensor's own name if no layer fits.
    """
    names, free, latest = [], list(layers), ""
    tensors = list(tensors)
    for tensor in tensors[:-1]:
        scope = [*tensor.partition(";")[0].split("/"), ""][1]
        fitting = [name for name in free if re.fullmatch(rf"{re.escape(name)}(_\d+)?", scope)]
        if fitting:
            latest = fitting[0]
            free.remove(latest)
        belongs_to_latest = latest and re.fullmatch(rf"{re.escape(latest)}(_\d+)?", scope)
        names.append(latest if fitting or belongs_to_latest else tensor)
    return [*names, "logits"] if tensors else []


def _tflite_activations(content: bytes, images: NDArray) -> Activations:
    """Return the output of every operator as real values, [N, ...]; without the delegate, which hides its tensors."""
    with quiet_native_log(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        interpreter = Interpreter(
            model_content=content,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    outputs = {int(index) for operator in interpreter._get_ops_details() for index in operator["outputs"]}
    # Operators on shapes do not output values of images.
    details = [one for one in interpreter.get_tensor_details() if one["index"] in outputs and len(one["shape"]) > 1]
    collected: dict[str, list[NDArray[np.float32]]] = {one["name"]: [] for one in details}
    for image in images:
        interpreter.set_tensor(input_index, image[None])
        interpreter.invoke()
        for one in details:
            collected[one["name"]].append(_real(interpreter.get_tensor(one["index"]), *one["quantization"]))
    return {name: np.concatenate(values) for name, values in collected.items()}


def _real(values: NDArray, scale: float, zero_point: int) -> NDArray[np.float32]:
    return (values.astype(np.float32) - zero_point) * np.float32(scale) if scale else values.astype(np.float32)


def _onnx_activations(model: onnx.ModelProto, names: Iterable[str], images: NDArray) -> Activations:
    """Return the named tensors, [N, ...]; those that the model does not compute are left out."""
    computed = {name for node in model.graph.node for name in node.output}
    wanted = [name for name in dict.fromkeys(names) if name in computed]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in wanted)
    session = onnxruntime.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: Any = session.run(wanted, {onnx_format.INPUT: images})
    return dict(zip(wanted, outputs, strict=True))
