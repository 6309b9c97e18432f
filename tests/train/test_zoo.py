"""The zoo: every member has the size it says, keeps the contract, and can be trained and exported by its name."""

import math
from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from edge_mnist.edge.bundle.contract import (
    IMAGE_SHAPE,
    NUM_CLASSES,
    SCALING_LAYER,
    Convention,
    FileName,
    count_keras_macs,
)
from edge_mnist.export.adoption.model_source import ModelSource
from edge_mnist.export.adoption.source import load_source
from edge_mnist.train.cli import train
from edge_mnist.train.zoo import ZOO

# Parameters, of which trainable, and multiply-adds for an image.
SIZES = {
    "standard": (136_282, 135_674, 5_485_376),
    "nano": (7_314, 7_186, 566_272),
    "nano-2890": (2_862, 2_682, 352_664),
    "max": (177_242, 176_250, 14_666_496),
    "logistic": (7_850, 7_850, 7_840),
    "compact-8-16": (7_184, 7_184, 272_100),
    "two-conv-122k": (121_930, 121_930, 2_528_000),
    "dropout-cnn": (353_386, 353_386, 18_546_048),
    "one-hot-cnn": (592_074, 592_074, 1_051_904),
    "batchnorm-905k": (905_418, 904_970, 8_262_784),
}


@pytest.fixture(scope="module", params=list(ZOO))
def member(request: pytest.FixtureRequest) -> keras.Model:
    """Each network of the zoo in turn, with fresh weights, named as the zoo names it."""
    keras.utils.set_random_seed(1)
    model = ZOO[request.param]()
    assert model.name == request.param
    return model


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Random images, uint8 [4, 28, 28, 1]."""
    return np.random.default_rng(1).integers(0, 256, (4, *IMAGE_SHAPE), np.uint8)


def test_every_architecture_is_pinned() -> None:
    """A new one gets a line above; two of one name would leave a line without its network."""
    assert list(ZOO) == list(SIZES)


def test_every_member_has_the_size_it_says(member: keras.Model) -> None:
    trainable = sum(math.prod(variable.shape) for variable in member.trainable_variables)

    assert (member.count_params(), trainable, count_keras_macs(member.layers)) == SIZES[member.name]


def test_raw_pixels_go_in_and_are_scaled_first(member: keras.Model) -> None:
    scaling = member.layers[1]

    assert [(tensor.dtype, tensor.shape) for tensor in member.inputs] == [("uint8", (None, *IMAGE_SHAPE))]
    assert (type(scaling), scaling.name, scaling.scale) == (keras.layers.Rescaling, SCALING_LAYER, 1 / 255)


def test_logits_come_out_and_no_layer_is_a_softmax(member: keras.Model, noise: np.ndarray) -> None:
    logits = member.predict(noise, verbose=0)

    assert (logits.dtype, logits.shape) == (np.float32, (len(noise), NUM_CLASSES))
    assert np.isfinite(logits).all()
    assert member.layers[-1].activation is keras.activations.linear
    assert not [
        layer.name
        for layer in member.layers
        if isinstance(layer, keras.layers.Softmax) or getattr(layer, "activation", None) is keras.activations.softmax
    ]


@pytest.mark.usefixtures("trusted_keras_files")
def test_a_saved_member_loads_safely_and_says_the_same(member: keras.Model, noise: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    member.save(path)

    # As the export does it: in safe mode, and refusing what breaks the contract.
    loaded = load_source(path, shown_as=path)

    assert np.array_equal(loaded.predict(noise, verbose=0), member.predict(noise, verbose=0))


@pytest.mark.parametrize("name", list(ZOO))
def test_every_name_serves_for_a_bundle_and_its_files(name: str) -> None:
    assert ModelSource(Path(name), None, Convention()).name == name
    assert msgspec.convert(f"{name}-int8.tflite", FileName) == f"{name}-int8.tflite"


def test_the_train_command_takes_every_name() -> None:
    (option,) = (parameter for parameter in train.params if parameter.name == "model")

    assert list(option.type.choices) == list(ZOO)
