"""The house: stages keep apart, the edge stays light, the wheel is whole, and the README tells the truth."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import msgspec
import pytest

from edge_mnist.benchmarks.pages import write_page
from edge_mnist.benchmarks.report import format_headlines
from edge_mnist.benchmarks.result_files import read_results
from edge_mnist.benchmarks.zoo import Zoo
from edge_mnist.benchmarks.zoo_report import format_claims, format_models

from .conftest import REPOSITORY, edge_mnist_process, python_process

STAGES = ("edge", "train", "export", "benchmarks")


def _modules_after(code: str, *arguments: object) -> set[str]:
    """The top-level modules loaded once the code has run."""
    process = python_process(
        f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint('\\nLOADED', *sorted(sys.modules))", *arguments
    )
    assert "LOADED" in process.stdout, process.stderr
    return {name.partition(".")[0] for name in process.stdout.rpartition("LOADED ")[2].split()}


def test_help_loads_nothing_heavy() -> None:
    loaded = _modules_after("from edge_mnist.edge.cli import main; main(['--help'])")

    assert (
        not {"tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "cv2", "numpy", "PIL", "msgspec"} & loaded
    )


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_reading_digits_loads_no_training_framework(tmp_path: Path, runtime: str) -> None:
    page = tmp_path / "page.png"
    write_page(page, ("12",), seed=1)

    loaded = _modules_after(
        "from edge_mnist.edge.cli import main; main(sys.argv[1:])", "run", page, "--runtime", runtime
    )

    assert not {"tensorflow", "keras", "onnx", "tf2onnx", "mlxtend"} & loaded


def test_every_module_of_the_edge_imports_without_a_training_framework() -> None:
    paths = [path.relative_to(REPOSITORY).with_suffix("") for path in (REPOSITORY / "edge").glob("**/*.py")]
    modules = [f"edge_mnist.{'.'.join(path.parts)}".removesuffix(".__init__") for path in paths]

    loaded = _modules_after(f"import {', '.join(modules)}")

    assert not {"tensorflow", "keras", "onnx", "onnxruntime", "tf2onnx", "mlxtend"} & loaded


def test_onnxruntime_is_told_not_to_phone_home_before_it_is_imported() -> None:
    # Python asks the watcher whenever somebody looks for onnxruntime; the last time is the import itself.
    code = (
        "import os, sys\n"
        "class Watcher:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'onnxruntime': print('looked for with', repr(os.environ['ORT_DISABLE_TELEMETRY']))\n"
        "sys.meta_path.insert(0, Watcher())\n"
        "from edge_mnist.edge.reader import Reader\n"
        "Reader(runtime='onnxruntime')\n"
    )

    process = python_process(code, ORT_DISABLE_TELEMETRY="")

    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == "looked for with '1'"


@pytest.mark.parametrize("path", [path for stage in STAGES for path in (REPOSITORY / stage).glob("**/*.py")], ids=str)
def test_stages_never_import_a_second_copy_of_themselves(path: Path) -> None:
    imported: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.append(node.module or "")

    assert not {name.partition(".")[0] for name in imported} & {*STAGES, "edge_mnist"}


def test_every_folder_with_python_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]

    folders = {path.parent.relative_to(REPOSITORY) for stage in STAGES for path in (REPOSITORY / stage).glob("**/*.py")}

    assert {f"edge_mnist.{'.'.join(folder.parts)}" for folder in folders} == set(listed)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    # setuptools would pack what an earlier build left there, deleted modules included.
    shutil.rmtree(REPOSITORY / "build" / "lib", ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, REPOSITORY],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="needs a git checkout to know what is tracked")
def test_the_wheel_holds_every_tracked_file_of_the_stages(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", *STAGES], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.split()

    packed = set(zipfile.ZipFile(wheel).namelist())

    assert {f"edge_mnist/{name}" for name in tracked} <= packed


def test_a_clean_environment_reads_digits_without_tensorflow(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "-q", "-c", REPOSITORY / "constraints.txt", f"{wheel}[onnx,pi,web]"]
    subprocess.run(install, check=True, capture_output=True)
    installed = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout.lower()
    command = tmp_path / "venv" / "bin" / "edge-mnist"

    drawn = subprocess.run([command, "example", "page.png"], cwd=tmp_path, check=False, capture_output=True, text=True)
    read = subprocess.run([command, "run", "page.png"], cwd=tmp_path, check=False, capture_output=True, text=True)
    refused = subprocess.run([command, "export"], cwd=tmp_path, check=False, capture_output=True, text=True)
    (tmp_path / "frames").mkdir()
    shutil.copy(tmp_path / "page.png", tmp_path / "frames" / "1.png")
    watch = [command, "live", "--camera", "frames", "--loop", "--fps", "0", "--frames", "5", "--json"]
    watched = subprocess.run(watch, cwd=tmp_path, check=False, capture_output=True, text=True)

    assert "fastapi==" in installed
    assert not re.search(r"^(tensorflow|keras|onnx|tf2onnx)\b", installed.replace("onnxruntime", ""), re.MULTILINE)
    assert drawn.returncode == 0, drawn.stderr
    assert read.returncode == 0, read.stderr
    assert "31415926" in read.stdout
    assert watched.returncode == 0, watched.stderr
    assert '"announced":["0123456789","31415926","2718"]' in watched.stdout.replace(", ", ",").replace(": ", ":")
    assert refused.returncode == 1
    assert refused.stderr == "Error: export needs the package tensorflow: pip install 'edge-mnist[export]'\n"


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        ("theano", "KERAS_BACKEND is 'theano', expected one of tensorflow, jax, torch."),
        pytest.param(
            "jax",
            "train needs the package jax: pip install jax",
            marks=pytest.mark.skipif(importlib.util.find_spec("jax") is not None, reason="JAX is installed here"),
        ),
    ],
)
def test_a_backend_that_is_not_there_is_one_sentence(backend: str, sentence: str) -> None:
    done = edge_mnist_process("train", "--help", KERAS_BACKEND=backend)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {sentence}\n")


def test_the_readme_shows_the_measured_table() -> None:
    results = read_results(REPOSITORY / "docs" / "results" / "standard.json")

    assert format_headlines(results) in (REPOSITORY / "README.md").read_text()


def test_the_results_page_shows_the_measured_zoo() -> None:
    zoo = msgspec.json.decode((REPOSITORY / "docs" / "results" / "zoo.json").read_bytes(), type=Zoo)
    page = (REPOSITORY / "docs" / "results.md").read_text()

    assert format_models(zoo) in page
    assert format_claims(zoo) in page


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_a_page_names_files_that_exist(page: str) -> None:
    path = REPOSITORY / page

    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())

    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_result_is_linked_from_the_results_page() -> None:
    page = (REPOSITORY / "docs" / "results.md").read_text()

    results = [path for path in (REPOSITORY / "docs" / "results").rglob("*") if path.is_file()]

    assert results
    assert [str(path) for path in results if f"({path.relative_to(REPOSITORY / 'docs')})" not in page] == []
