"""Noise: layers go by their own names, and it begins where the weights are wrong."""

from collections.abc import Callable

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.formats import onnx as onnx_format
from edge_mnist.export.formats import tflite
from edge_mnist.export.formats.tflite_edits import pack, unpack
from edge_mnist.export.quantize.noise import name_layers, onnx_noise, tflite_noise
from tests.builders.networks import weight_nodes, weight_tensors, without_batch_norm


@pytest.fixture(scope="module")
def calibration(sample: mnist.Images) -> mnist.Images:
    return choose_calibration(sample).take(np.arange(50))


# Layers of a sound int8 file stay well above, what comes behind a layer with wrong weights well below.
SOUND_DB, DAMAGED_DB = 20, 6


KERAS_LAYERS = ["pixels", "pixels_to_unit", "conv2d", "batch_normalization", "conv2d_1", "re_lu", "logits"]


@pytest.mark.parametrize(
    ("tensors", "names"),
    [
        ([], []),
        (["StatefulPartitionedCall_1:0"], ["logits"]),
        (["net_1/conv2d/Relu", "net_1/conv2d_1/Relu", "out"], ["conv2d", "conv2d_1", "logits"]),
        (["net_1/conv2d_1/Relu;net_1/x", "net_1/conv2d_1_2/Relu;net_1/x", "o"], ["conv2d", "conv2d_1", "logits"]),
        (["net_1/conv2d_5/BiasAdd", "net_1/conv2d_5/Relu", "o"], ["conv2d", "conv2d", "logits"]),
        (["net_1/conv2d_1/Conv", "net_1/re_lu_1/Relu", "o"], ["conv2d", "re_lu", "logits"]),
        (["pixels_quantized", "net_1/conv2d_1/Relu", "o"], ["pixels_quantized", "conv2d", "logits"]),
        (["Relu;net_1/conv2d/Relu", "o"], ["Relu;net_1/conv2d/Relu", "logits"]),
        (["net_1/conv2dx/Relu", "net_1/pool/Max", "o"], ["net_1/conv2dx/Relu", "net_1/pool/Max", "logits"]),
    ],
    ids=["none", "only logits", "as in Keras", "counted up", "two of one layer", "activation apart", "no scope",
         "of others", "unknown"],
)  # fmt: skip
def test_tensors_are_called_by_their_layers(tensors: list[str], names: list[str]) -> None:
    assert name_layers(tensors, KERAS_LAYERS) == names


def test_layer_names_are_no_patterns() -> None:
    assert name_layers(["net/conv_1/Relu", "net/conv.1/Relu", "o"], ["conv.1"]) == [
        "net/conv_1/Relu",
        "conv.1",
        "logits",
    ]


def _damage_tflite(content: bytes, layer: int) -> bytes:
    """Turn the sign of a layer's weights around."""
    model = unpack(content)
    buffer = model.buffers[weight_tensors(model)[layer].buffer]
    buffer.data = (-buffer.data.view(np.int8)).view(np.uint8)
    return pack(model)


def _damage_onnx(content: bytes, layer: int) -> bytes:
    model = onnx.load_from_string(content)
    (constant,) = (one for one in model.graph.initializer if one.name == weight_nodes(model.graph)[layer].input[0])
    constant.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(constant), constant.name))
    return model.SerializeToString()


@pytest.mark.parametrize("damaged", [0, 1, 2])
@pytest.mark.parametrize(
    ("convert", "damage", "measure"),
    [
        pytest.param(tflite.convert_int8, _damage_tflite, tflite_noise, id="tflite"),
        pytest.param(onnx_format.convert_int8, _damage_onnx, onnx_noise, id="onnx"),
    ],
)
def test_noise_begins_where_the_weights_are_wrong(
    convert: Callable[[keras.Model, mnist.Images], bytes],
    damage: Callable[[bytes, int], bytes],
    measure: Callable,
    damaged: int,
    calibration: mnist.Images,
) -> None:
    model = without_batch_norm()
    content = convert(model, calibration)

    sound = measure(model, content, calibration.pixels)
    found = measure(model, damage(content, damaged), calibration.pixels)

    names = [one.layer for one in found]
    first_noisy = next(i for i, one in enumerate(found) if one.snr_db < DAMAGED_DB)
    assert [name for name in names if name in {"first", "second", "logits"}] == ["first", "second", "logits"]
    assert min(one.snr_db for one in sound) > SOUND_DB
    assert names[first_noisy] == ("first", "second", "logits")[damaged]
    assert found[:first_noisy] == sound[:first_noisy]
