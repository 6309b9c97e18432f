"""Whatever a user gets wrong is one sentence, a non-zero exit and nothing left behind. Never a traceback."""

import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.errors import RuntimeUnavailableError
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from tests.conftest import edge_mnist, edge_mnist_process, python_process


def _giant_png(path: Path) -> None:
    """20,000 x 20,000 zeros in 400 KB: the header is honest, decoding it would take 400 MB."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + checksum

    header = (20_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes(20_001) * 20_000, 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def _truncated_png(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 100), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:3000])


def _damaged_gif(path: Path) -> None:
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(path, format="GIF")
    path.write_bytes(path.read_bytes()[:30])


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "No such file"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "text": (lambda path: path.write_text("hello"), "a text, not a supported picture"),
    "giant": (_giant_png, "more than 50 megapixels"),
    "large": (lambda path: Image.new("1", (9_000, 9_000)).save(path), "more than 50 megapixels"),
    "truncated": (_truncated_png, "damaged"),
    "damaged gif": (_damaged_gif, "damaged"),
    "a folder of nothing": (lambda path: path.mkdir(), "no pictures found"),
}


@pytest.mark.parametrize(("make", "reason"), PICTURES.values(), ids=PICTURES)
def test_a_bad_picture_is_one_sentence(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    path = tmp_path / "picture.png"
    make(path)

    result = edge_mnist("run", path)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert str(path) in result.stderr
    assert reason in result.stderr


def test_the_good_pictures_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    Image.new("L", (100, 100), 255).save(tmp_path / "b.png")

    result = edge_mnist("run", tmp_path)

    assert result.exit_code == 1
    assert "b.png: 0 digits" in result.stdout
    assert "a.png" in result.stderr


def test_a_pattern_that_matches_nothing_says_so(tmp_path: Path) -> None:
    result = edge_mnist("run", tmp_path / "*.png")

    assert result.exit_code == 1
    assert "no pictures found" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run"], "Missing argument"),
        (["run", "a.png", "--runtime", "tensorrt"], "'tensorrt' is not one of 'litert'"),
        (["run", "a.png", "--precision", "int4"], "'int4' is not one of 'float32'"),
        (["benchmark", "--calls", "0"], "not in the range"),
        (["train"], "Missing option '-o' / '--out'"),
        (["export", "--data-dir", "/nowhere"], "Directory '/nowhere' does not exist"),
        (["train", "--model", "resnet", "--out", "x"], "'resnet' is not"),
        (["fly"], "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_misuse_exits_with_2(arguments: list[str], reason: str) -> None:
    result = edge_mnist(*arguments)

    assert result.exit_code == 2
    assert reason in result.stderr


def test_a_runtime_that_is_not_installed_says_what_to_install() -> None:
    result = edge_mnist("run", "a.png", "--runtime", "tflite-runtime")

    assert result.exit_code == 1
    assert result.stderr == f"Error: tflite-runtime is not installed: {RUNTIMES['tflite-runtime'].install_hint}.\n"


@pytest.mark.parametrize(
    ("numpy_version", "hint"),
    [
        ("1.26.4", "pip install tflite-runtime"),
        ("2.4.6", "it needs numpy below 2, and 2.4.6 is installed: `edge-mnist bench"),
    ],
)
def test_nobody_is_told_to_install_what_does_not_fit(
    numpy_version: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "__version__", numpy_version)

    assert RUNTIMES["tflite-runtime"].install_hint.startswith(hint)
    assert RUNTIMES["litert"].install_hint == "pip install ai-edge-litert"


def test_a_runtime_that_was_built_for_another_numpy_says_so() -> None:
    def fail(*_: object) -> NoReturn:
        raise SystemError("<built-in method CreateWrapperFromBuffer> returned a result with an exception set")

    file = open_bundle(SHIPPED).file("tflite", "int8")
    runtime = replace(RUNTIMES["tflite-runtime"], load=fail)

    with pytest.raises(
        RuntimeUnavailableError, match=rf"it was built for a numpy other than {np.__version__} \(<built"
    ):
        load_file(runtime, b"", file)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["--help"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-c", "from edge_mnist.cli import main; main()", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert result.returncode == 1
    assert result.stderr == "Error: standard output cannot be written (No space left on device).\n"


def test_rows_of_an_example_are_digits(tmp_path: Path) -> None:
    result = edge_mnist("example", tmp_path / "page.png", "--row", "12a")

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: Invalid value for '--row': expected digits, got '12a'."


@pytest.mark.parametrize("name", ["page", "page.txt"])
def test_an_example_is_a_picture(name: str, tmp_path: Path) -> None:
    result = edge_mnist("example", tmp_path / name)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path / name}: is not the name of a picture.")
    assert "page.png" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = edge_mnist("compare", "nano", tmp_path / "none", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "none: does not exist. Expected an exported bundle, the name of a shipped one" in result.stderr


@pytest.mark.parametrize("command", ["run a.png --model", "benchmark", "export", "verify"])
@pytest.mark.parametrize("damage", ["flipped byte", "newer card", "no card", "missing"])
def test_a_bad_bundle_is_one_sentence_for_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, damage: str
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = Path("bundle")
    if damage != "missing":
        shutil.copytree(SHIPPED, bundle)
    if damage == "flipped byte":
        path = bundle / "standard-int8.tflite"
        content = bytearray(path.read_bytes())
        content[1000] ^= 1
        path.write_bytes(content)
    elif damage == "newer card":
        card = bundle / "card.json"
        found = open_bundle(SHIPPED).card.schema_version
        card.write_bytes(card.read_bytes().replace(b'"schema_version": %d' % found, b'"schema_version": 99'))
    elif damage == "no card":
        (bundle / "card.json").unlink()
    before = sorted(tmp_path.rglob("*"))

    result = edge_mnist(*command.split(), bundle)

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "bundle" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["model.h5", "model.pkl", "model.onnx"])
def test_files_that_can_hide_code_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")

    result = edge_mnist("export", tmp_path / name, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "expected a bundle or a .keras file" in result.stderr


def test_a_keras_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"not a zip")

    result = edge_mnist("export", tmp_path / "model.keras", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "model.keras: expected a .keras file, got a text" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("command", ["export", "train --data mnist-sample-5k --epochs 1"])
def test_an_out_that_cannot_be_written_is_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("precious")

    result = edge_mnist(*command.split(), "--out", tmp_path / "file" / "out")

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("command", ["export", "train --data mnist-sample-5k --epochs 1"])
def test_a_folder_of_the_users_is_not_made_a_bundle(tmp_path: Path, command: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "holiday.jpg").write_text("precious")

    result = edge_mnist(*command.split(), "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "out: exists and is not a bundle, so it was not changed" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["holiday.jpg"]


def test_reports_that_cannot_be_written_are_refused_before_measuring(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")

    result = edge_mnist("benchmark", "--out", tmp_path / "file", "--calls", "1000000000")

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_killed_export_leaves_the_old_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(SHIPPED, bundle)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    # A converter that kills its own process when the first file has been written: no clean-up of Python's runs.
    code = (
        "import os, signal, sys; from edge_mnist.export.formats import tflite\n"
        "tflite.convert_int8 = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from edge_mnist.cli import main; main()\n"
    )
    process = python_process(code, "export", bundle, "--int8")

    assert process.returncode == -9
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_an_unexpected_setting_of_the_terminal_is_no_traceback(tmp_path: Path) -> None:
    process = edge_mnist_process("run", tmp_path / "missing.png", LC_ALL="C", TERM="dumb")

    assert process.returncode == 1
    assert "Traceback" not in process.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_picture_without_permission_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")
    path.chmod(0)

    result = edge_mnist("run", path)

    assert result.exit_code == 1
    assert "Permission denied" in result.stderr


def test_a_library_that_does_not_fit_into_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise ImportError("IMPORTANT: READ THIS\n\nlibblas.so: failed to map segment from shared object\n")

    monkeypatch.setattr("edge_mnist.cli.importlib.import_module", fail)

    result = edge_mnist("run", "page.png")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: run cannot load ")
    assert result.stderr.endswith("libblas.so: failed to map segment from shared object.\n")
