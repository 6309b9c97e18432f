"""The house: stages keep apart, the edge stays light, and the wheel is whole."""

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

import pytest

import edge_mnist
from edge_mnist.benchmarks.scenes.pages import write_page
from tests.conftest import REPOSITORY, edge_mnist_process, python_process

STAGES = ("edge", "train", "export", "benchmarks")
# Folders of data, which no one reads from top to bottom.
DATA = ("shipped", "static")
MOST_ITEMS = 15


def _modules_after(code: str, *arguments: object) -> set[str]:
    """The top-level modules loaded once the code has run."""
    process = python_process(
        f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint('\\nLOADED', *sorted(sys.modules))", *arguments
    )
    assert "LOADED" in process.stdout, process.stderr
    return {name.partition(".")[0] for name in process.stdout.rpartition("LOADED ")[2].split()}


def test_help_loads_nothing_heavy() -> None:
    loaded = _modules_after("from edge_mnist.cli import main; main(['--help'])")

    assert (
        not {"tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "cv2", "numpy", "PIL", "msgspec"} & loaded
    )


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_reading_digits_loads_no_training_framework(tmp_path: Path, runtime: str) -> None:
    page = tmp_path / "page.png"
    write_page(page, ("12",), seed=1)

    loaded = _modules_after("from edge_mnist.cli import main; main(sys.argv[1:])", "run", page, "--runtime", runtime)

    assert not {"tensorflow", "keras", "onnx", "tf2onnx", "pyarrow", "ray", "pandas"} & loaded


def test_every_module_of_the_edge_imports_without_a_training_framework() -> None:
    paths = [path.relative_to(REPOSITORY).with_suffix("") for path in (REPOSITORY / "edge").glob("**/*.py")]
    modules = [f"edge_mnist.{'.'.join(path.parts)}".removesuffix(".__init__") for path in paths]

    loaded = _modules_after(f"import {', '.join(modules)}")

    assert not {"tensorflow", "keras", "onnx", "onnxruntime", "tf2onnx", "pyarrow", "ray"} & loaded


def test_onnxruntime_is_told_not_to_phone_home_before_it_is_imported() -> None:
    # Python asks the watcher whenever somebody looks for onnxruntime; the last time is the import itself.
    code = (
        "import os, sys\n"
        "class Watcher:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'onnxruntime': print('looked for with', repr(os.environ['ORT_DISABLE_TELEMETRY']))\n"
        "sys.meta_path.insert(0, Watcher())\n"
        "from edge_mnist.edge.reading.reader import Reader\n"
        "Reader(runtime='onnxruntime')\n"
    )

    process = python_process(code, ORT_DISABLE_TELEMETRY="")

    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == "looked for with '1'"


@pytest.mark.parametrize("stage", STAGES)
def test_stages_never_import_a_second_copy_of_themselves(stage: str) -> None:
    found = {
        str(path): names
        for path in (REPOSITORY / stage).rglob("*.py")
        if (names := _absolute_imports(path) & {*STAGES, "edge_mnist"})
    }

    assert found == {}


def _absolute_imports(path: Path) -> set[str]:
    """The top-level modules that a file imports without dots."""
    imported: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.append(node.module or "")
    return {name.partition(".")[0] for name in imported}


def test_every_folder_with_python_is_a_package() -> None:
    folders = {path.parent for stage in STAGES for path in (REPOSITORY / stage).rglob("*.py")}

    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("stage", STAGES)
def test_no_folder_shows_more_than_fifteen_items(stage: str) -> None:
    folders = [
        path for path in (REPOSITORY / stage).rglob("*") if path.is_dir() and path.name not in {"__pycache__", *DATA}
    ]

    shown = {
        str(folder): [item.name for item in folder.iterdir() if item.name != "__pycache__"]
        for folder in [REPOSITORY / stage, *folders]
    }

    assert {folder: items for folder, items in shown.items() if len(items) > MOST_ITEMS} == {}


def test_no_class_name_means_two_things() -> None:
    places: dict[str, list[str]] = {}
    for stage in STAGES:
        for path in (REPOSITORY / stage).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(str(path.relative_to(REPOSITORY)))

    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_the_architecture_page_shows_the_floors_that_are_enforced() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    enforced = {contract["containers"][0].rpartition(".")[2]: contract["layers"] for contract in contracts}

    page = (REPOSITORY / "docs" / "explanation" / "architecture.md").read_text()
    shown: dict[str, list[str]] = {}
    for paragraph in (
        page.partition("## What may import what")[2].partition("```\n")[2].partition("```")[0].split("\n\n")
    ):
        lines = [line[13:].strip() for line in paragraph.splitlines()]
        shown[paragraph.split()[0]] = lines

    assert shown == enforced


def test_imports_go_in_no_circle() -> None:
    imported = _imports_between_files()
    waiting = {name: set(others) for name, others in imported.items()}
    while free := {name for name, others in waiting.items() if not others & waiting.keys()}:
        waiting = {name: others for name, others in waiting.items() if name not in free}

    assert waiting == {}


def _imports_between_files() -> dict[str, set[str]]:
    """For each module of the stages, the modules of the stages that it imports, wherever in the file."""
    paths = {
        f"edge_mnist.{'.'.join(path.relative_to(REPOSITORY).with_suffix('').parts)}".removesuffix(".__init__"): path
        for stage in STAGES
        for path in (REPOSITORY / stage).rglob("*.py")
    }
    imported: dict[str, set[str]] = {}
    for module, path in paths.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        imported[module] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                for name in (f"{base}.{alias.name}" for alias in node.names):
                    imported[module].add(name if name in paths else base)
        imported[module] = imported[module] & paths.keys() - {module}
    return imported


def test_the_face_names_what_there_is_and_loads_it_when_used() -> None:
    loaded = _modules_after("import edge_mnist; dir(edge_mnist)")

    assert not {"numpy", "cv2", "msgspec", "ai_edge_litert"} & loaded
    assert all(getattr(edge_mnist, name) is not None for name in edge_mnist.__all__)
    with pytest.raises(AttributeError, match="'Lecteur'"):
        edge_mnist.Lecteur  # noqa: B018


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
    assert not [name for name in packed if name.startswith(("examples/", "tests/", "docs/"))]


def test_a_clean_environment_reads_digits_without_tensorflow(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    pip = [sys.executable, "-m", "pip", "--python", tmp_path / "venv", "--disable-pip-version-check"]
    # Compiling thousands of modules, of which few are imported, would take as long as all else.
    install = [*pip, "install", "-q", "--no-compile", "-c", REPOSITORY / "constraints.txt", f"{wheel}[onnx,web]"]
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
    assert re.fullmatch(r"Error: export needs the package \w+: pip install 'edge-mnist\[export\]'\n", refused.stderr)


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
def test_a_backend_that_is_not_there_is_one_sentence(backend: str, sentence: str, tmp_path: Path) -> None:
    done = edge_mnist_process("train", "--out", str(tmp_path / "model"), KERAS_BACKEND=backend)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {sentence}\n")
