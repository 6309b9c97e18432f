"""Grad-CAM: heat lies where the network looks, and the sheet shows it as it is."""

import io
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from edge_mnist.train.errors import TrainError
from edge_mnist.train.explanation.explain import ExplainedDigit, describe_digits, format_digit
from edge_mnist.train.explanation.gradcam import Explanation, explain_images, find_layer, locate_cells
from edge_mnist.train.explanation.sheet import BAR, GAP, HEADING, MARGIN, SIDE, draw_sheet, lay_over
from edge_mnist.train.zoo import ZOO
from tests.builders.networks import chain

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the gradients are taken from TensorFlow"
)
CONVOLUTIONAL = [name for name in ZOO if name != "logistic"]


def _dots(*places: tuple[int, int]) -> np.ndarray:
    """An image for each place, with a dot of full ink there."""
    pixels = np.zeros((len(places), 28, 28, 1), np.uint8)
    for image, (row, column) in zip(pixels, places, strict=True):
        image[row, column] = 255
    return pixels


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_every_network_of_the_zoo_is_explained_by_its_last_map(name: str) -> None:
    network = ZOO[name]()
    pixels = np.random.default_rng(1).integers(0, 256, (3, 28, 28, 1), np.uint8)

    explanation = explain_images(network, pixels)

    assert explanation.heat.shape == (3, 28, 28)
    assert explanation.heat.min() >= 0
    assert np.isin(explanation.heat.max(axis=(1, 2)), (0, 1)).all()
    np.testing.assert_allclose(explanation.logits, network.predict(pixels, verbose=0), atol=1e-4)


def test_a_network_without_a_convolution_is_refused() -> None:
    with pytest.raises(TrainError, match="logistic: has no convolution"):
        explain_images(ZOO["logistic"](), _dots((3, 3)))


def _detector(weights: list[float]) -> keras.Model:
    """A network that sees ink as it is in each channel; the logit of 3 is the sum of their weighted means."""
    network = chain(layers.Conv2D(len(weights), 1, name="seen"), layers.GlobalAveragePooling2D())
    head = np.zeros((len(weights), 10), np.float32)
    head[:, 3] = weights
    network.layers[-1].set_weights([head, np.zeros(10, np.float32)])
    network.get_layer("seen").set_weights(
        [np.ones((1, 1, 1, len(weights)), np.float32), np.zeros(len(weights), np.float32)]
    )
    return network


def test_heat_lies_where_the_ink_is_that_speaks_for_the_digit() -> None:
    places = [(4, 20), (13, 7), (27, 0)]

    explanation = explain_images(_detector([2.0]), _dots(*places))

    assert explanation.logits.argmax(axis=1).tolist() == [3, 3, 3]
    for heat, place in zip(explanation.heat, places, strict=True):
        assert heat[place] == 1
        assert heat.sum() == 1


def test_what_speaks_against_the_digit_is_cold() -> None:
    # The first channel sees the ink, the second something everywhere that speaks against.
    network = _detector([3.0, -1.0])
    kernel, bias = np.array([1.0, 0.0], np.float32).reshape(1, 1, 1, 2), np.array([0.0, 0.05], np.float32)
    network.get_layer("seen").set_weights([kernel, bias])
    pixels = np.zeros((1, 28, 28, 1), np.uint8)
    pixels[0, 8:20, 8:20] = 255

    heat = explain_images(network, pixels).heat[0]

    assert (heat[8:20, 8:20] == 1).all()
    assert (np.delete(heat.ravel(), np.flatnonzero(pixels)) == 0).all()


def test_an_image_that_nothing_speaks_for_is_cold_and_divides_by_nothing() -> None:
    explanation = explain_images(_detector([1.0]), np.zeros((1, 28, 28, 1), np.uint8))

    assert not explanation.heat.any()


STACKS: dict[str, Callable[[], list[Any]]] = {
    "same": lambda: [layers.Conv2D(1, 3, padding="same", use_bias=False)],
    "valid": lambda: [layers.Conv2D(1, 5, use_bias=False)],
    "strided": lambda: [layers.Conv2D(1, 3, strides=2, padding="same", use_bias=False)],
    "even kernel": lambda: [layers.Conv2D(1, 4, padding="same", use_bias=False)],
    "pooled": lambda: [layers.AveragePooling2D(2), layers.Conv2D(1, 3, use_bias=False)],
    "many": lambda: [
        layers.Conv2D(1, 5, strides=2, padding="same", use_bias=False),
        layers.Conv2D(1, 3, use_bias=False),
        layers.AveragePooling2D(2),
        layers.Conv2D(1, 3, padding="same", use_bias=False),
    ],
}


@pytest.mark.parametrize("stack", STACKS)
def test_cells_lie_in_the_middle_of_the_pixels_that_they_look_at(stack: str) -> None:
    import tensorflow as tf

    hidden = STACKS[stack]()
    network: Any = chain(*hidden, layers.GlobalAveragePooling2D())
    for layer in hidden:
        layer.set_weights([np.ones_like(weights) for weights in layer.get_weights()])
    body: Any = keras.Model(network.layers[2].input, hidden[-1].output)
    image = tf.ones((1, 28, 28, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        cells = body(image)
        cell = cells.shape[1] // 2
        middle = cells[0, cell, cell, 0]
    seen = tape.gradient(middle, image).numpy()[0, :, :, 0].sum(axis=1)

    grid = locate_cells(network, hidden[-1])

    centre = (seen * np.arange(28)).sum() / seen.sum()
    assert grid.first + cell * grid.step == pytest.approx(centre, abs=1e-4)


def test_the_map_of_a_residual_network_is_behind_its_last_sum() -> None:
    pixels = keras.Input((28, 28, 1))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(pixels)
    x = layers.Add(name="sum")([x, layers.Conv2D(4, 3, padding="same")(layers.ReLU()(x))])
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
    network: Any = keras.Model(pixels, layers.Dense(10)(layers.Flatten()(squeezed)))

    explanation = explain_images(network, _dots((5, 5)))

    assert find_layer(network).name == "sum"
    assert explanation.layer == "sum (14x14)"


def test_confidence_is_that_of_the_temperature_and_the_names_those_of_the_card() -> None:
    logits = np.zeros((1, 10), np.float32)
    logits[0, [4, 7]] = 6.0, 3.0
    explanation = Explanation(logits, np.zeros((1, 28, 28), np.float32), "any")

    (digit,) = describe_digits(explanation, 3.0, tuple("abcdefghij"))

    assert (digit.digit, digit.runner_up) == ("e", "h")
    total = np.exp(2) + np.exp(1) + 8
    assert digit.confidence == pytest.approx(np.exp(2) / total, abs=1e-4)
    assert digit.runner_up_confidence == pytest.approx(np.exp(1) / total, abs=1e-4)


def test_ink_stays_darker_than_paper_under_the_same_heat_and_heat_lights_both() -> None:
    ink = np.zeros((28, 28), np.uint8)
    ink[:, 14:] = 255
    heat = np.zeros((28, 28), np.float32)
    heat[14:] = 1

    brightness = lay_over(ink, heat).sum(axis=2)

    cold_paper, cold_ink, hot_paper, hot_ink = (brightness[r, c] for r, c in ((0, 0), (0, 27), (27, 0), (27, 27)))
    assert cold_ink < cold_paper < hot_paper
    assert cold_ink < hot_ink < hot_paper


def test_the_legend_has_the_colours_of_heat_on_paper() -> None:
    heat = np.zeros((1, 28, 28), np.float32)
    heat[0, 14:] = 1
    pixels = np.zeros((1, 28, 28, 1), np.uint8)
    explanation = Explanation(np.zeros((1, 10), np.float32), heat, "map (5x5)")

    sheet = np.array(Image.open(io.BytesIO(draw_sheet(pixels, explanation, [""]))))

    # The middle of the bar's height.
    legend = sheet[40, MARGIN + 14 : MARGIN + 14 + BAR[0]]
    overlay = sheet[HEADING : HEADING + SIDE, MARGIN + SIDE + GAP + SIDE // 2]
    assert legend[0].tolist() == overlay[0].tolist()
    assert legend[-1].tolist() == overlay[-1].tolist()


def test_a_second_digit_that_is_next_to_impossible_is_not_called_quite_so() -> None:
    digit = ExplainedDigit(digit="7", confidence=1.0, runner_up="1", runner_up_confidence=0.0)

    assert format_digit(digit) == "7: > 99.9 %, then 1: < 0.1 %"


@pytest.mark.parametrize("count", [1, 4])
def test_captions_of_long_names_stay_below_their_own_pictures(count: int) -> None:
    pixels = np.zeros((count, 28, 28, 1), np.uint8)
    explanation = Explanation(np.zeros((count, 10), np.float32), np.zeros((count, 28, 28), np.float32), "map (5x5)")
    long = "Ankle boot with laces: 57.1 %, then Sandal: 42.9 %"

    with_captions, without = (
        np.array(Image.open(io.BytesIO(draw_sheet(pixels, explanation, [text] * count)))) for text in (long, "")
    )

    written = np.flatnonzero((with_captions != without).any(axis=(0, 2)))
    # Every tile has a margin of 14 pixels on either side.
    width = with_captions.shape[1] // min(count, 3)
    assert written.size
    assert set((written % width).tolist()) <= set(range(14, width - 13))
