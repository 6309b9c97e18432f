"""Help needs no package of any extra."""

import pytest

from edge_mnist.edge.cli import COMMANDS

from .conftest import python_process

# Of all extras; what they bring besides is imported by these.
PACKAGES = (
    "fastapi", "h11", "keras", "jax", "matplotlib", "mlxtend", "onnx", "onnxruntime", "paho", "picamera2",
    "prometheus_client", "pydantic", "starlette", "tensorflow", "tf2onnx", "torch", "uvicorn",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_package_of_an_extra(command: str) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({PACKAGES})); from edge_mnist.edge.cli import main; main()"

    done = python_process(code, command, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: -c {command} ")
