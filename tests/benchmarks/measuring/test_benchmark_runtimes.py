"""Runtimes that only the benchmark knows: each gives the digits that ours give, in a process that ends well."""

import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.results.schema import BenchmarkSettings
from edge_mnist.benchmarks.targets import old_runtime as old_runtime_module
from edge_mnist.benchmarks.targets.engines import ENGINES, find_runtime
from edge_mnist.benchmarks.targets.job import Job, Measurement
from edge_mnist.benchmarks.targets.keras import has_gpu, thread_environment
from edge_mnist.benchmarks.targets.launcher import Launcher, run_worker
from edge_mnist.benchmarks.targets.old_runtime import find_old_runtime, launch_old_runtime, make_old_runtime
from edge_mnist.benchmarks.targets.targets import list_targets, resolve_threads
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import write_card
from edge_mnist.edge.common.machine import count_cores
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import RUNTIMES
from tests.conftest import edge_mnist
from tests.edge.runtimes.test_old_runtimes import OldRuntime, old_runtime

__all__ = ["old_runtime"]

# Importing TensorFlow on a busy machine.
SILENCE_S = 240
FULL = BenchmarkSettings(rounds=3, calls=10, seconds=1, threads=[1, 0], batches=[])


@pytest.fixture(scope="module")
def images(sample: mnist.Images, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.uint8]]:
    pixels = sample.pixels[::50]
    path = tmp_path_factory.mktemp("images") / "images.npy"
    np.save(path, pixels)
    return path, pixels


def measure(launcher: Launcher, images: Path, **changes: object) -> tuple[Measurement, NDArray[np.float32]]:
    job = {"bundle": str(SHIPPED), "precision": "int8", "threads": 1, "calls": 20, "seconds": 5.0, "batches": [4]}
    job |= {"paced_calls": 3, "warmup_s": 0.5, "timing_images": str(images), "evaluation_images": str(images)}
    measurement, logits = run_worker(launcher, Job(**(job | changes)), Measurement, SILENCE_S)  # type: ignore[arg-type]
    assert logits is not None
    return measurement, logits


def expect(pixels: NDArray[np.uint8], precision: str = "int8") -> NDArray[np.int64]:
    classifier = load_classifier(open_bundle(SHIPPED), RUNTIMES["litert"], precision)  # type: ignore[arg-type]
    return classifier.logits(pixels).argmax(axis=1)


@pytest.mark.parametrize(
    ("runtime", "delegate", "version"),
    [("litert", "default", "."), ("litert", "none", "."), ("tf.lite", "default", "2."), ("keras", "default", " on ")],
)
def test_every_runtime_names_the_same_digits(
    images: tuple[Path, NDArray[np.uint8]], runtime: str, delegate: str, version: str
) -> None:
    launcher = Launcher(environment=thread_environment(1, on_gpu=False))

    measurement, logits = measure(launcher, images[0], runtime=runtime, delegate=delegate)

    # Of a hundred images, one may be a close call.
    assert (logits.argmax(axis=1) == expect(images[1])).mean() >= 0.99
    assert version in measurement.runtime_version
    assert len(measurement.latencies_us) == len(measurement.bare_us) == 20
    assert len(measurement.paced_us) == 3
    assert len(measurement.batches[0]) == 10
    assert measurement.load_ms > 0


def test_the_old_runtime_is_measured_in_its_own_environment(
    images: tuple[Path, NDArray[np.uint8]], old_runtime: OldRuntime
) -> None:
    with launch_old_runtime(old_runtime.python) as launcher:
        measurement, logits = measure(launcher, images[0], runtime="tflite-runtime")

    assert (logits.argmax(axis=1) == expect(images[1])).mean() >= 0.99
    assert measurement.runtime_version == "2.14.0"


def test_without_its_delegate_an_interpreter_is_another_one() -> None:
    bundle, image = open_bundle(SHIPPED), np.full((1, 28, 28, 1), 200, np.uint8)

    logits = [
        load_classifier(bundle, find_runtime("litert", delegate), "float32").logits(image)
        for delegate in ("default", "none")
    ]

    # Other kernels add up in another order; golden vectors held in both.
    assert np.allclose(logits[0], logits[1], atol=1e-3)


def test_a_file_that_fails_its_golden_vectors_is_not_measured(
    images: tuple[Path, NDArray[np.uint8]], tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(SHIPPED, bundle)
    card = open_bundle(bundle).card
    assert card.export is not None
    files = [
        replace(file, golden_logits=tuple(line[::-1] for line in file.golden_logits)) for file in card.export.files
    ]
    write_card(bundle, replace(card, export=replace(card.export, files=tuple(files))))

    with pytest.raises(BenchmarkError, match=r"^standard-int8\.tflite on litert: refused, its logits differ"):
        measure(Launcher(), images[0], runtime="litert", bundle=str(bundle))


def test_only_the_runtimes_that_are_asked_for_are_targets() -> None:
    targets = list_targets(open_bundle(SHIPPED), [], replace(FULL, runtimes=["litert"], threads=[1]))

    assert {target.runtime for target in targets} == {"litert"}
    assert {target.subject.format for target in targets} == {"tflite"}
    assert {target.delegate for target in targets} == {"default", "none"}


def test_keras_without_a_gpu_says_so(images: tuple[Path, NDArray[np.uint8]]) -> None:
    launcher = Launcher(environment=thread_environment(1, on_gpu=False))

    with pytest.raises(BenchmarkError, match=r"Keras on .* finds no GPU"):
        measure(launcher, images[0], runtime="keras-gpu")


def test_every_delegate_and_number_of_threads_is_a_target() -> None:
    targets = list_targets(open_bundle(SHIPPED), [], FULL)

    ours = [(one.subject.precision, one.delegate, one.threads) for one in targets if one.runtime == "litert"]
    assert set(ours) == {
        (precision, delegate, threads)
        for precision in ("float32", "int8")
        for delegate in ("default", "none")
        for threads in {1, count_cores()}
    }
    assert len(ours) == len(set(ours))


def test_zero_threads_are_all_processors_and_each_number_counts_once() -> None:
    assert resolve_threads([1, 0, 1]) == list(dict.fromkeys([1, count_cores()]))


def test_what_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_mnist.benchmarks.targets.engines.find_spec", lambda _name: None)

    targets = list_targets(open_bundle(SHIPPED), [], FULL)

    reasons = {one.runtime: one.unavailable for one in targets}
    assert reasons["litert"] == "not installed: pip install ai-edge-litert"
    assert reasons["onnxruntime"] == "not installed: pip install 'edge-mnist[onnx]'"
    assert reasons["keras"] == "not installed: pip install 'edge-mnist[train]'"
    assert reasons["tflite-runtime"] == "not installed: --old-runtime creates an environment with 2.14.0"
    assert None not in reasons.values()


def test_engines_are_named_as_the_runtimes_that_they_are() -> None:
    assert RUNTIMES.keys() <= ENGINES.keys()
    assert all(ENGINES[name].packages[0] == runtime.package for name, runtime in RUNTIMES.items())


def test_a_gpu_is_looked_for_without_loading_anything(tmp_path: Path) -> None:
    assert not has_gpu(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    assert has_gpu(tmp_path)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGE_MNIST_OLD_RUNTIME", raising=False)
    return tmp_path / "cache"


def test_an_environment_that_cannot_be_made_leaves_nothing_behind(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python3.11"
    broken.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(old_runtime_module, "_find_python", lambda: str(broken))

    with pytest.raises(BenchmarkError, match=r"no environment with tflite-runtime .* can be created \(no space left\)"):
        make_old_runtime()

    assert find_old_runtime() is None
    assert list((cache / "edge-mnist" / "tflite-runtime").iterdir()) == []


def test_without_a_python_that_fits_it_says_which_is_needed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_runtime_module, "_find_python", lambda: None)

    with pytest.raises(BenchmarkError, match=r"needs Python 3\.11, which was not found"):
        make_old_runtime()

    assert not cache.exists()


def test_the_environment_that_a_variable_names_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_MNIST_OLD_RUNTIME", sys.executable)

    assert make_old_runtime() == find_old_runtime() == Path(sys.executable)
    assert not cache.exists()


def test_a_variable_that_names_nothing_is_one_sentence(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_MNIST_OLD_RUNTIME", str(tmp_path / "python"))

    result = edge_mnist("benchmark", "--old-runtime", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: EDGE_MNIST_OLD_RUNTIME={tmp_path / 'python'}: expected the Python")
    assert result.stderr.count("\n") == 1
    assert not cache.exists()


def test_an_environment_whose_python_is_gone_is_made_anew(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `python -m venv FOLDER`, and a pip that has everything.
    maker = tmp_path / "python3.11"
    maker.write_text('#!/bin/sh\n[ "$2" = pip ] || { mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; }\n')
    maker.chmod(maker.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(old_runtime_module, "_find_python", lambda: str(maker))
    python = make_old_runtime()
    python.unlink()
    python.symlink_to(tmp_path / "gone")
    (python.parent / "left").touch()

    again = make_old_runtime()

    assert again == find_old_runtime() == python
    assert sorted(path.name for path in python.parent.iterdir()) == ["python"]
    assert len(list((cache / "edge-mnist" / "tflite-runtime").iterdir())) == 1
