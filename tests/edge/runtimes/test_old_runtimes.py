"""Old runtimes: files of today give the same digits in tf.lite and tflite-runtime 2.14, or are refused with the reason.

Boards that nobody updates have tflite-runtime 2.14, the last of its name. It needs Python 3.11 and numpy 1, so it runs
an environment of its own, which imports this working tree: $EDGE_MNIST_OLD_RUNTIME is the Python of one, and without
that one is made in pytest's cache.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.edge.bundle.contract import PRECISION_KEY, Precision
from edge_mnist.edge.bundle.export_record import ModelFile
from edge_mnist.edge.bundle.folder import SOURCE_NAME, Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import describe_file
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.checking import NOT_RUN, PASSED
from edge_mnist.edge.runtimes.classifiers import InterpreterClassifier
from edge_mnist.edge.runtimes.isolated import IsolatedJob
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from edge_mnist.export.adoption.source import load_source
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.formats.tflite import (
    convert_dynamic,
    convert_float16,
    convert_int16x8,
    describe_tensors,
    min_runtime,
)
from edge_mnist.export.formats.tflite_metadata import write_metadata
from tests.conftest import REPOSITORY

VARIABLE = "EDGE_MNIST_OLD_RUNTIME"
PINS = REPOSITORY / "constraints-tflite-runtime.txt"
COMMAND = "import sys; from edge_mnist.cli import main; sys.argv[0] = 'edge-mnist'; main()"
TIMEOUT_S = 300


@dataclass(frozen=True)
class OldRuntime:
    """The Python of an environment with tflite-runtime, and a folder from which it imports this working tree."""

    python: Path
    imports: Path

    def run(self, *arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.python, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(self.imports)},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )

    def evaluate(self, path: Path, file: ModelFile, pixels: NDArray[np.uint8]) -> subprocess.CompletedProcess[bytes]:
        """Write the logits of these images to `logits.npy` beside the file."""
        images, logits = path.with_name("images.npy"), path.with_name("logits.npy")
        np.save(images, pixels)
        job = IsolatedJob(path=str(path), file=file, runtime="tflite-runtime", images=str(images), logits=str(logits))
        return self.run("-m", "edge_mnist.edge.runtimes.isolated", stdin=msgspec.json.encode(job))


@pytest.fixture(scope="session")
def old_runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OldRuntime:
    """The environment that the variable names; else one in the cache, made anew when its pins have changed."""
    imports = tmp_path_factory.mktemp("imports")
    (imports / "edge_mnist").mkdir()
    (imports / "edge_mnist" / "edge").symlink_to(REPOSITORY / "edge")
    if os.environ.get(VARIABLE):
        return OldRuntime(Path(os.environ[VARIABLE]), imports)
    if sys.version_info >= (3, 12):
        pytest.skip(f"tflite-runtime 2.14.0 has no wheel for Python 3.12 or later: set {VARIABLE} to a Python 3.11's")
    # The last step of making it gives it this name, so where there is one it is complete.
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    environment = request.config.cache.mkdir("tflite-runtime") / f"python-{platform.python_version()}-{pins}"
    if not (environment / "bin" / "python").exists():
        _make_environment(environment)
    return OldRuntime(environment / "bin" / "python", imports)


def _make_environment(environment: Path) -> None:
    shutil.rmtree(environment, ignore_errors=True)
    # Without a network it is to give up soon, and to compile nothing where there are no wheels.
    options = ("--disable-pip-version-check", "--timeout=15", "--retries=1", "--only-binary=:all:", "--no-deps")
    with tempfile.TemporaryDirectory(dir=environment.parent) as folder:
        staging = Path(folder) / "new"
        _make_or_skip(sys.executable, "-m", "venv", staging)
        _make_or_skip(staging / "bin" / "python", "-m", "pip", "install", *options, "--requirement", PINS)
        staging.rename(environment)


def _make_or_skip(*command: object) -> None:
    made = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if made.returncode != 0:
        reason = (f"{made.stdout}\n{made.stderr}".strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"no environment with tflite-runtime 2.14.0 ({reason}): set {VARIABLE} to the Python of one")


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return open_bundle(SHIPPED)


@pytest.fixture(scope="module")
def pixels(sample: mnist.Images) -> NDArray[np.uint8]:
    """Fifty images of each digit."""
    return sample.pixels[::10]


@dataclass(frozen=True)
class Converted:
    """A file of the shipped model as the converter makes it now."""

    path: Path
    file: ModelFile


@pytest.fixture(scope="module")
def converted(
    shipped: Bundle, sample: mnist.Images, tmp_path_factory: pytest.TempPathFactory
) -> dict[Precision, Converted]:
    """Those precisions that are not always there."""
    model = load_source(SHIPPED / SOURCE_NAME, SHIPPED)
    contents: dict[Precision, bytes] = {
        "float16": convert_float16(model),
        "dynamic": convert_dynamic(model),
        "int16x8": convert_int16x8(model, choose_calibration(sample)),
    }
    folder = tmp_path_factory.mktemp("converted")
    return {precision: _write(folder, precision, content, shipped) for precision, content in contents.items()}


def _write(folder: Path, precision: Precision, content: bytes, shipped: Bundle) -> Converted:
    path = folder / f"{precision}.tflite"
    content = write_metadata(content, {PRECISION_KEY: precision})
    path.write_bytes(content)
    pixels, logits = describe_tensors(content)
    file = msgspec.structs.replace(
        shipped.file("tflite", "float32"),
        record=describe_file(folder, path.name),
        precision=precision,
        input=pixels,
        output=logits,
        min_runtime=min_runtime(content),
    )
    return Converted(path, file)


def _classes_today(path: Path, file: ModelFile, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    return load_file(RUNTIMES["litert"], path.read_bytes(), file).logits(pixels).argmax(axis=1)


def test_the_pins_are_those_of_today_but_for_runtime_and_numpy() -> None:
    old, today = ({*path.read_text().splitlines()[1:]} for path in (PINS, REPOSITORY / "constraints.txt"))

    assert old - today == {"tflite-runtime==2.14.0", "numpy==1.26.4"}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_tensorflow_lite_names_the_same_digits(
    shipped: Bundle, pixels: NDArray[np.uint8], precision: Precision
) -> None:
    import tensorflow as tf

    file = shipped.file("tflite", precision)
    with warnings.catch_warnings():
        # It does so whenever one is made; that is why it is called old here.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
        classifier = InterpreterClassifier(lambda: tf.lite.Interpreter(model_content=shipped.read(file.record)), file)

    classes = classifier.logits(pixels).argmax(axis=1)

    assert classes.tolist() == _classes_today(SHIPPED / file.record.name, file, pixels).tolist()


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_old_runtime_names_the_same_digits(
    shipped: Bundle, pixels: NDArray[np.uint8], old_runtime: OldRuntime, tmp_path: Path, precision: Precision
) -> None:
    file = shipped.file("tflite", precision)
    path = tmp_path / file.record.name
    path.write_bytes(shipped.read(file.record))

    process = old_runtime.evaluate(path, file, pixels)

    assert process.returncode == 0, process.stderr.decode()
    classes = np.load(tmp_path / "logits.npy").argmax(axis=1)
    assert classes.tolist() == _classes_today(path, file, pixels).tolist()


@pytest.mark.parametrize("precision", ["float16", "int16x8"])
def test_the_old_runtime_runs_half_precision_and_16_bits(
    converted: dict[Precision, Converted], pixels: NDArray[np.uint8], old_runtime: OldRuntime, precision: Precision
) -> None:
    path, file = converted[precision].path, converted[precision].file

    process = old_runtime.evaluate(path, file, pixels)

    assert process.returncode == 0, process.stderr.decode()
    classes = np.load(path.with_name("logits.npy")).argmax(axis=1)
    assert classes.tolist() == _classes_today(path, file, pixels).tolist()


def test_golden_vectors_hold_in_the_old_runtime(shipped: Bundle, old_runtime: OldRuntime) -> None:
    process = old_runtime.run("-c", COMMAND, "verify", SHIPPED, "--json")

    assert process.returncode == 0, process.stderr.decode()
    results = [result for result in json.loads(process.stdout) if result["runtime"] == "tflite-runtime"]
    assert {result["file"]: result["outcome"] for result in results} == {
        file.record.name: NOT_RUN if file.precision == "dynamic" else PASSED
        for file in shipped.files
        if file.format == "tflite"
    }


def test_a_dynamic_range_file_is_refused_by_what_its_card_says(
    converted: dict[Precision, Converted], pixels: NDArray[np.uint8], old_runtime: OldRuntime
) -> None:
    path, file = converted["dynamic"].path, converted["dynamic"].file

    process = old_runtime.evaluate(path, file, pixels)

    assert file.min_runtime == "2.17.0"
    assert process.returncode == 1
    assert process.stderr.decode().strip() == (
        "tflite-runtime 2.14.0 is too old for dynamic.tflite, whose operators need 2.17.0: use ai-edge-litert, or a "
        "file of another precision."
    )


def test_the_refusal_is_not_idle(converted: dict[Precision, Converted], old_runtime: OldRuntime) -> None:
    code = "import sys; from tflite_runtime.interpreter import Interpreter; Interpreter(sys.argv[1])"

    loaded = {precision: old_runtime.run("-c", code, converted[precision].path) for precision in converted}

    assert b"Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'" in loaded["dynamic"].stderr
    assert {precision: process.returncode for precision, process in loaded.items()} == {
        "float16": 0,
        "dynamic": 1,
        "int16x8": 0,
    }
