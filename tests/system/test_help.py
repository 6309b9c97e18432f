"""Help needs no package of an extra, for every command and every command within one."""

import json

import click
import pytest

from edge_mnist.cli import COMMANDS, main
from edge_mnist.edge.bundle.catalogue import CATALOGUE
from edge_mnist.export.calibration import METHODS, WEIGHTS
from edge_mnist.export.exporters import DEFAULT_WEIGHTS
from edge_mnist.export.formats.onnx import METHODS as KNOWN_METHODS
from edge_mnist.export.formats.onnx import WEIGHT_TYPES
from edge_mnist.train.zoo import ZOO
from tests.conftest import REPOSITORY, edge_mnist_process, python_process

# Of all extras; what they bring besides is imported by these.
PACKAGES = (
    "av", "fastapi", "h11", "h5py", "jax", "jinja2", "keras", "matplotlib", "onnx", "onnxruntime", "paho", "picamera2",
    "pillow_heif", "prometheus_client", "pyarrow", "pydantic", "ray", "scipy", "starlette", "tensorflow", "tf2onnx",
    "torch", "uvicorn",
)  # fmt: skip
PICTURE = REPOSITORY / "docs" / "pictures" / "scenes.jpg"
WALK = f"""
import sys
sys.modules.update(dict.fromkeys({PACKAGES}))
import json, click
from click.testing import CliRunner
from edge_mnist.cli import main

def walk(command, path):
    done = CliRunner().invoke(main, [*path, "--help"], prog_name="edge-mnist")
    print(json.dumps([path, done.exit_code, done.output]))
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            walk(command.get_command(click.Context(command), name), [*path, name])

walk(main.get_command(click.Context(main), sys.argv[1]), [sys.argv[1]])
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_package_of_an_extra(command: str) -> None:
    done = python_process(WALK, command)

    assert (done.returncode, done.stderr) == (0, "")
    for line in done.stdout.splitlines():
        path, code, output = json.loads(line)
        assert code == 0, output
        assert output.startswith(f"Usage: edge-mnist {' '.join(path)} ")


@pytest.mark.parametrize(
    "command", [["train", "--out", "x"], ["explain", str(PICTURE)], ["export"]], ids=lambda one: one[0]
)
def test_a_command_without_its_packages_says_which(command: list[str]) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({PACKAGES})); from edge_mnist.cli import main; main()"

    done = python_process(code, *command)

    assert done.returncode == 1
    assert "needs the package " in done.stderr
    assert "pip install 'edge-mnist[" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("group", [(), ("measure",)], ids=["edge-mnist", "measure"])
def test_a_group_alone_prints_its_help_as_it_is(group: tuple[str, ...]) -> None:
    alone, asked = edge_mnist_process(*group), edge_mnist_process(*group, "--help")

    assert (alone.returncode, alone.stdout) == (2, "")
    assert alone.stderr == asked.stdout
    assert alone.stderr.startswith(f"Usage: {' '.join(('edge-mnist', *group))} [OPTIONS] COMMAND [ARGS]...\n\n  ")


def test_every_group_is_tried_alone() -> None:
    context = click.Context(main)
    groups = [name for name in COMMANDS if isinstance(main.get_command(context, name), click.Group)]

    assert groups == ["measure"]


@pytest.mark.parametrize(
    "command",
    [
        ("export", "missing.keras"),
        ("train", "--from", "missing", "--out", "x"),
        ("train", "--teacher", "missing", "--out", "x"),
        ("explain", "missing.png"),
        ("verify", "missing"),
        ("benchmark", "missing"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_missing_file_is_reported_before_keras_is_imported(command: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom edge_mnist.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "finally:\n    print(sorted({'keras', 'tensorflow', 'onnx'} & sys.modules.keys()))"
    )

    done = python_process(code, *command)

    assert "Error: missing" in done.stderr
    assert done.stdout == "[]\n"


def test_the_choices_of_help_are_those_that_there_are() -> None:
    assert list(CATALOGUE) == list(ZOO)
    assert list(METHODS) == list(KNOWN_METHODS)
    assert list(WEIGHTS) == list(WEIGHT_TYPES)
    assert WEIGHTS[0] == DEFAULT_WEIGHTS
