"""Help needs no package of an extra, but where the options themselves are made by Keras's modules."""

import pytest

from edge_mnist.edge.cli import COMMANDS

from .conftest import python_process

# Of all extras; what they bring besides is imported by these.
PACKAGES = (
    "fastapi", "h11", "keras", "jax", "matplotlib", "mlxtend", "onnx", "onnxruntime", "paho", "picamera2",
    "prometheus_client", "pydantic", "starlette", "tensorflow", "tf2onnx", "torch", "uvicorn",
)  # fmt: skip


# Their choices and defaults stand beside the code that trains and converts.
BUILT_ON_KERAS = {"train", "explain", "export"}


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in BUILT_ON_KERAS])
def test_help_needs_no_package_of_an_extra(command: str) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({PACKAGES})); from edge_mnist.edge.cli import main; main()"

    done = python_process(code, command, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: -c {command} ")
