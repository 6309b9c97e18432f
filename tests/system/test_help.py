"""Help needs no package of an extra, for every command and every command within one."""

import json

import pytest

from edge_mnist.cli import COMMANDS
from edge_mnist.edge.bundle.catalogue import CATALOGUE
from edge_mnist.export.calibration import METHODS, WEIGHTS
from edge_mnist.export.exporters import DEFAULT_WEIGHTS
from edge_mnist.export.formats.onnx import METHODS as KNOWN_METHODS
from edge_mnist.export.formats.onnx import WEIGHT_TYPES
from edge_mnist.train.zoo import ZOO
from tests.conftest import python_process

# Of all extras; what they bring besides is imported by these.
PACKAGES = (
    "fastapi", "h11", "h5py", "jax", "jinja2", "keras", "matplotlib", "onnx", "onnxruntime", "paho", "picamera2",
    "pillow_heif", "prometheus_client", "pydantic", "starlette", "tensorflow", "tf2onnx", "torch", "uvicorn",
)  # fmt: skip
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


@pytest.mark.parametrize("command", [["train", "--out", "x"], ["explain", "x.png"], ["export"]], ids=lambda one: one[0])
def test_a_command_without_its_packages_says_which(command: list[str]) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({PACKAGES})); from edge_mnist.cli import main; main()"

    done = python_process(code, *command)

    assert done.returncode == 1
    assert "needs the package " in done.stderr
    assert "pip install 'edge-mnist[" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_choices_of_help_are_those_that_there_are() -> None:
    assert list(CATALOGUE) == list(ZOO)
    assert list(METHODS) == list(KNOWN_METHODS)
    assert list(WEIGHTS) == list(WEIGHT_TYPES)
    assert WEIGHTS[0] == DEFAULT_WEIGHTS
