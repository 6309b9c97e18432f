"""The evaluated model: its weights are the average, and its batch norms know what these weights give."""

from typing import Any

import keras
import numpy as np
import pytest

from edge_mnist.edge.data import held_out as mnist
from edge_mnist.train.fitting.averaging import NormStatistics, copy_network, put_average
from edge_mnist.train.zoo import ZOO


def _perturbed(name: str) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = ZOO[name]()
    model.set_weights([weights + 0.1 for weights in model.get_weights()])
    return model


def test_the_first_batch_norm_gets_the_moments_of_its_inputs(sample: mnist.Images) -> None:
    model, pixels = _perturbed("nano"), sample.pixels[:600]
    first = model.get_layer("batch_normalization")

    NormStatistics(model, pixels).renew()

    inputs = keras.Model(model.inputs, first.input).predict(pixels, verbose=0).astype(np.float64)
    assert np.asarray(first.moving_mean) == pytest.approx(inputs.mean(axis=(0, 1, 2)), abs=1e-4)
    assert np.asarray(first.moving_variance) == pytest.approx(inputs.var(axis=(0, 1, 2)), rel=1e-3, abs=1e-5)


def test_every_batch_norm_gives_normalized_outputs_afterwards(sample: mnist.Images) -> None:
    model, pixels = _perturbed("max"), sample.pixels[:500]
    norms: list[Any] = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]

    NormStatistics(model, pixels).renew()

    outputs = keras.Model(model.inputs, [norm.output for norm in norms]).predict(pixels, verbose=0)
    for norm, values in zip(norms, outputs, strict=True):
        variance, gamma, beta = (np.asarray(one) for one in (norm.moving_variance, norm.gamma, norm.beta))
        # Of a normalized input; epsilon makes small variances smaller.
        expected = gamma**2 * variance / (variance + norm.epsilon)
        assert values.mean(axis=(0, 1, 2), dtype=np.float64) == pytest.approx(beta, abs=0.02)
        assert values.var(axis=(0, 1, 2), dtype=np.float64) == pytest.approx(expected, rel=0.02)


def test_weights_and_other_models_are_left_alone(sample: mnist.Images) -> None:
    model = _perturbed("logistic")
    before = model.get_weights()

    NormStatistics(model, sample.pixels[:10]).renew()

    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_copy_computes_the_same_in_any_precision_and_keeps_float32_weights(
    sample: mnist.Images, precision: str
) -> None:
    keras.utils.set_random_seed(1)
    model = ZOO["nano-2890"]()

    copied = copy_network(model, precision)

    assert {weights.dtype.name for weights in copied.get_weights()} == {"float32"}
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), copied.get_weights(), strict=True))
    said, expected = (one.predict(sample.pixels[:8], verbose=0) for one in (copied, model))
    assert said.dtype == np.float32
    # bfloat16 has 8 bits; float32 adds in another order at most.
    tolerance = 1e-5 if precision == "float32" else 0.05
    assert said == pytest.approx(expected, abs=tolerance * float(np.abs(expected).max()))


def test_the_average_goes_to_the_model_and_the_trained_one_keeps_its_weights() -> None:
    trained, model = ZOO["logistic"](), ZOO["logistic"]()
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.build(trained.trainable_variables)
    start = trained.get_weights()
    for _ in range(2):
        optimizer.apply([keras.ops.ones(one.shape) for one in trained.trainable_variables], trained.trainable_variables)

    put_average(model, trained, optimizer)

    for average, current, first in zip(model.get_weights(), trained.get_weights(), start, strict=True):
        assert current == pytest.approx(first - 2, abs=1e-5)
        # The first step sets the average, the second moves it half way.
        assert average == pytest.approx(first - 1.5, abs=1e-5)
