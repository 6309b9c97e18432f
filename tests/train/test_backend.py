"""How batches reach Keras on TensorFlow: all of them, in order, and through a pipeline that closes when it is done."""

from importlib.metadata import PackageNotFoundError

import keras
import numpy as np
import pytest
import tensorflow as tf

from edge_mnist.edge.common import machine as host
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.train.fitting.backend import in_batches, predict_batches, use_xla
from edge_mnist.train.zoo import ZOO


def test_batches_hold_every_row_in_order(sample: mnist.Images) -> None:
    pixels, targets = sample.pixels[:10], np.eye(10, dtype=np.float32)

    batches = [(x.numpy(), y.numpy()) for x, y in in_batches(4, pixels, targets)["x"]]

    assert [len(x) for x, _ in batches] == [4, 4, 2]
    assert np.array_equal(np.concatenate([x for x, _ in batches]), pixels)
    assert np.array_equal(np.concatenate([y for _, y in batches]), targets)


def test_a_tensorflow_of_another_name_has_its_version_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(host, "version", find)

    assert host.find_version("tensorflow") == tf.__version__


def test_no_tuner_keeps_a_pipeline_open(sample: mnist.Images) -> None:
    assert in_batches(4, sample.pixels[:4])["x"].options().autotune.enabled is False


@pytest.mark.parametrize(("gpus", "expected"), [([], False), (["GPU:0"], "auto")])
def test_xla_is_for_gpus(monkeypatch: pytest.MonkeyPatch, gpus: list[str], expected: object) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus if kind == "GPU" else ["CPU:0"])

    assert use_xla() == expected


def test_predictions_are_the_models(sample: mnist.Images) -> None:
    keras.utils.set_random_seed(1)
    model = ZOO["nano"]()
    expected = keras.ops.convert_to_numpy(model(sample.pixels[:10], training=False))

    logits = predict_batches(model, sample.pixels[:10], batch_size=4)

    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=1e-4)
