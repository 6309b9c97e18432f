"""The `edge-mnist` command. Each subcommand's module is imported when it is used, so `--help` is quick and light."""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from .errors import EdgeMnistError
from .output import echo, in_one_line, safe_output
from .safe_text import one_line

# name: (module, function, one line for --help, the extra whose packages it needs)
COMMANDS = {
    "models": ("edge_mnist.edge.list_models", "models", "List the networks to train and what they achieve.", ""),
    "train": ("edge_mnist.train.cli", "train", "Train a model and write it as a bundle.", "train"),
    "explain": ("edge_mnist.train.explain", "explain", "Show which parts of a digit the model goes by.", "train"),
    "export": ("edge_mnist.export.cli", "export", "Write float and int8 TFLite and ONNX files, verified.", "export"),
    "run": ("edge_mnist.edge.run", "run", "Read the digits in pictures, videos and streams.", ""),
    "live": ("edge_mnist.edge.live.cli", "live", "Read digits from a camera, until stopped.", ""),
    "serve": ("edge_mnist.edge.web.cli", "serve", "A page to watch and try it, and an HTTP API.", "web"),
    "doctor": ("edge_mnist.edge.doctor.cli", "doctor", "Say what this machine has and lacks.", ""),
    "pi-setup": ("edge_mnist.edge.doctor.pi_setup", "pi_setup", "Set up a Raspberry Pi, checking first.", ""),
    "verify": ("edge_mnist.edge.verify", "verify", "Check a bundle's hashes and golden vectors on this machine.", ""),
    "inspect": ("edge_mnist.edge.inspect", "inspect", "Say what a TFLite or ONNX file holds, without running it.", ""),
    "benchmark": ("edge_mnist.benchmarks.cli", "benchmark", "Measure accuracy and latency on each runtime here.", ""),
    "compare": ("edge_mnist.benchmarks.compare_cli", "compare", "Draw models: accuracy against latency and size.", ""),
    "measure": ("edge_mnist.benchmarks.measure_cli", "measure", "Measure speed, refusals, corruptions, the zoo.", ""),
    "scenes": ("edge_mnist.benchmarks.scenes_cli", "scenes", "Make photo-like pictures of digits, with labels.", ""),
    "example": ("edge_mnist.benchmarks.cli", "example", "Draw a page of digits to have something to read.", ""),
}
# Of Keras, for training.
BACKENDS = ("tensorflow", "jax", "torch")


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command's module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the pipeline, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or say which packages are missing."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _, extra = COMMANDS[cmd_name]
        backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
        if extra in {"train", "export"} and backend not in BACKENDS:
            raise click.ClickException(f"KERAS_BACKEND is {backend!r}, expected one of {', '.join(BACKENDS)}.")
        try:
            return getattr(importlib.import_module(module), function)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("edge_mnist") or not extra:
                raise
            # Of the backends, the extras bring the first.
            brought = f"'edge-mnist[{extra}]'" if error.name not in BACKENDS[1:] else error.name
            raise click.ClickException(f"{cmd_name} needs the package {error.name}: pip install {brought}") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary, _) in COMMANDS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; where what it prints cannot be written, as on a full disk, that is one sentence, too."""
        with safe_output():
            try:
                return super().main(*args, **kwargs)
            except OSError as error:
                if _can_print():
                    raise
                echo(f"Error: standard output cannot be written ({error.strerror}).", err=True)
                sys.exit(1)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line; what is quoted of it stays within its line."""
        with in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Turn the project's expected failures into one sentence and exit code 1."""
        try:
            with _terminated_as_by_hand(), in_one_line():
                return super().invoke(ctx)
        except EdgeMnistError as error:
            raise click.ClickException(one_line(error)) from error


def _can_print() -> bool:
    """Whether standard output takes another line; if not, nobody tries again when the process ends."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


@contextmanager
def _terminated_as_by_hand() -> Iterator[None]:
    """`kill` and time limits end a command as Ctrl-C does: processes it started end, what is half-written goes.

    Commands that stop in their own way on a signal say so themselves. Whoever calls us from Python, in a thread or with
    a handler, has provided for it.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edge-mnist")
def main() -> None:
    """Handwritten digits on small machines: train, quantize, verify, run and measure.

    \b
    Examples:
      edge-mnist example page.png       draw a page of digits
      edge-mnist run page.png           read the digits in a picture
      edge-mnist export --int8          TFLite and ONNX from the shipped model
      edge-mnist verify                 does every file compute here what it did?
      edge-mnist benchmark              accuracy and latency of every file here
      edge-mnist train --out my-model   train your own
    """
