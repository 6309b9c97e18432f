"""Several devices, and several processes, train the very model that one trains; what cannot be shared is refused."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping

import keras
import numpy as np
import pytest

from edge_mnist.train.errors import TrainError
from edge_mnist.train.fitting import devices as devices_module
from edge_mnist.train.fitting.devices import Devices, find_devices
from tests.conftest import HANGS_S, python_process

# Devices add the parts of a sum in another order.
TOLERANCE = 2e-3
# Trains for two epochs of a few steps, the last of which is not full, and prints the losses.
TRAIN = """
import json, sys, tempfile
from pathlib import Path
import numpy as np
SETUP
import keras
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.train.fitting.devices import find_devices
from edge_mnist.train.fitting.fit import Recipe, FitSetup, fit_model
from edge_mnist.train.zoo import ZOO
devices = find_devices(sys.argv[1])
sample = mnist.load_sample()
splits = mnist.Splits("tiny", *(sample.take(np.arange(start, 5_000, 50)) for start in (0, 1, 2)))
keras.utils.set_random_seed(1)
model = ZOO["nano-2890"]()
with tempfile.TemporaryDirectory() as folder:
    state = Path(folder) / "state"
    recipe = Recipe(epochs=2, seed=1, batch_size=30, extras=0.2)
    history, _ = fit_model(model, splits, recipe, state, FitSetup(devices=devices))
print(json.dumps({"devices": [devices.count, devices.processes, devices.rank],
                  "losses": [[one.loss, one.validation_loss] for one in history]}))
"""
TWO_CPUS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the package jax")


def _start(asked: str, environment: Mapping[str, str], setup: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN.replace("SETUP", setup), asked],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: "subprocess.Popen[str]") -> dict[str, list]:
    try:
        stdout, stderr = process.communicate(timeout=HANGS_S)
    finally:
        process.kill()
    assert process.returncode == 0, stderr
    return json.loads(stdout.splitlines()[-1])


def _train(asked: str, environment: Mapping[str, str], setup: str = "") -> dict[str, list]:
    return _finish(_start(asked, environment, setup))


def test_two_devices_of_tensorflow_share_each_batch() -> None:
    trained = _train("all", {"KERAS_BACKEND": "tensorflow"}, TWO_CPUS)

    assert trained["devices"] == [2, 1, 0]
    losses = np.array(trained["losses"])
    assert np.isfinite(losses).all()
    # Each device normalizes its part of the batch by that part's statistics, so it is not quite what one would train.
    assert (losses[1] < losses[0]).all()


@needs_jax
def test_two_devices_of_jax_train_what_one_trains() -> None:
    alone = _start("1", {"KERAS_BACKEND": "jax"})
    both = _train("2", {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"})

    assert both["devices"] == [2, 1, 0]
    assert np.array(both["losses"]) == pytest.approx(np.array(_finish(alone)["losses"]), abs=TOLERANCE)


@needs_jax
def test_two_processes_of_jax_train_what_one_trains() -> None:
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        addresses = ",".join(f"127.0.0.1:{free.getsockname()[1]}" for free in (one, other))
    machines = {
        "KERAS_BACKEND": "jax",
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses,
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    }
    second = _start("all", {**machines, "KERAS_DISTRIBUTION_PROCESS_ID": "1"})
    first = _train("all", {**machines, "KERAS_DISTRIBUTION_PROCESS_ID": "0"})

    assert first["devices"] == [2, 2, 0]
    assert _finish(second) == {"devices": [2, 2, 1], "losses": first["losses"]}
    alone = _train("1", {"KERAS_BACKEND": "jax"})
    assert np.array(first["losses"]) == pytest.approx(np.array(alone["losses"]), abs=TOLERANCE)


def test_processes_feed_disjoint_parts_of_each_batch() -> None:
    parts = [Devices(count=4, processes=2, rank=rank).own_part(30, 8) for rank in (0, 1)]

    # 28 of 30: three batches of 8, and 4 that are left; half of each for either.
    assert parts[0].tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25]
    assert sorted(np.concatenate(parts).tolist()) == list(range(28))
    assert Devices(count=2).own_part(7, 4).tolist() == list(range(6))


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(TrainError, match="--batch-size that 3 devices can share evenly, got 128"):
        Devices(count=3).check_batch(128)


def test_more_devices_than_there_are_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if keras.backend.backend() == "torch":
        pytest.skip("on torch, more than one is refused altogether")

    with pytest.raises(TrainError, match="--devices 4096: expected at most"):
        find_devices("4096")


def test_several_machines_of_tensorflow_are_refused() -> None:
    code = (
        "from edge_mnist.train.fitting.devices import TrainError, find_devices\n"
        "try:\n    find_devices('all')\nexcept TrainError as error:\n    print(error)"
    )

    result = python_process(code, KERAS_BACKEND="tensorflow", TF_CONFIG='{"cluster": {"worker": ["a:1", "b:1"]}}')

    assert "KERAS_BACKEND=jax" in result.stdout


def test_torch_takes_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_module.keras.backend, "backend", lambda: "torch")

    with pytest.raises(TrainError, match="on torch only 1"):
        find_devices("2")
    assert find_devices("1") == Devices()
