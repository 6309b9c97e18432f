"""A file evaluated in a process of its own: whatever kills that process is one sentence here."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.edge.bundle.export_record import ModelFile
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.common.errors import RuntimeUnavailableError
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes import isolated as evaluate
from edge_mnist.edge.runtimes.isolated import run_isolated
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file


@pytest.fixture
def int8(exported: Bundle) -> tuple[Path, ModelFile]:
    """The int8 TFLite file, and what its card says of it save which runtime is too old."""
    file = msgspec.structs.replace(exported.file("tflite", "int8"), min_runtime=None)
    return exported.path / file.record.name, file


@pytest.fixture
def images(tmp_path: Path, sample: mnist.Images) -> Path:
    np.save(tmp_path / "images.npy", sample.pixels[::500])
    return tmp_path / "images.npy"


def _install_runtime(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tflite-runtime that runs this code as soon as it is imported."""
    (folder / "tflite_runtime").mkdir()
    (folder / "tflite_runtime" / "__init__.py").touch()
    (folder / "tflite_runtime" / "interpreter.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed \\(SIGSEGV\\)"),
        ("import os; os.write(2, b'first\\nlast\\n'); os._exit(3)", "ended with code 3: last"),
        ("raise OSError('libedgetpu.so: not found')", "tflite-runtime cannot run .*libedgetpu.so"),
        ("raise RuntimeError", "tflite-runtime cannot run standard-int8.tflite: RuntimeError"),
        ("Interpreter = None", "tflite-runtime cannot run .* not callable"),
        ("import time; time.sleep(60)", "did not finish within 2 s"),
    ],
    ids=["killed", "crashed", "exited", "broken", "speechless", "another module", "hanging"],
)
def test_a_process_that_dies_is_one_sentence(
    int8: tuple[Path, ModelFile],
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    sentence: str,
) -> None:
    _install_runtime(tmp_path, code, monkeypatch)
    if "sleep" in code:
        monkeypatch.setattr(evaluate, "PROCESS_TIMEOUT_S", 2)

    with pytest.raises(RuntimeUnavailableError, match=sentence) as caught:
        run_isolated(*int8, "tflite-runtime", images)

    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_runtime_is_one_sentence(int8: tuple[Path, ModelFile], images: Path) -> None:
    if RUNTIMES["tflite-runtime"].installed:
        pytest.skip("tflite-runtime is installed here")

    with pytest.raises(RuntimeUnavailableError, match="No module named 'tflite_runtime'") as caught:
        run_isolated(*int8, "tflite-runtime", images)

    assert len(str(caught.value).splitlines()) == 1


def test_modules_in_the_current_folder_are_not_imported(
    int8: tuple[Path, ModelFile], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, file = int8
    (tmp_path / "random.py").write_text("raise RuntimeError('mine')")
    monkeypatch.chdir(tmp_path)

    logits = run_isolated(path, file, "litert", images)

    assert (logits == load_file(RUNTIMES["litert"], path.read_bytes(), file).logits(np.load(images))).all()
