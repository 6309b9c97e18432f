"""The `edge-mnist` command. Each subcommand's module is imported when it is used, so `--help` is quick and light."""

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from .edge.common.errors import BACKENDS, OUT_OF_MEMORY, EdgeMnistError, explain_missing
from .edge.common.files import explain_full_disk
from .edge.common.native_log import separate_python_stderr
from .edge.common.network.credentials import hide_credentials
from .edge.common.processes.ending import end_process
from .edge.common.processes.signals import WITHOUT_KEYBOARD, handling_ends
from .edge.common.terminal.output import echo, in_one_line, safe_output
from .edge.common.terminal.streams import prepare_standard_streams
from .edge.common.terminal.text import one_line
from .edge.common.terminal.verbosity import set_verbosity

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name: (module, function, one line for --help, the extra whose packages it needs)
COMMANDS = {
    "models": ("edge_mnist.edge.commands.models", "models", "List the networks to train and what they achieve.", ""),
    "train": ("edge_mnist.train.cli", "train", "Train a model and write it as a bundle.", "train"),
    "explain": ("edge_mnist.train.explain_cli", "explain", "Show which pixels a model's answers depend on.", "train"),
    "export": ("edge_mnist.export.cli", "export", "Write float and int8 TFLite and ONNX files, verified.", "export"),
    "run": ("edge_mnist.edge.commands.run", "run", "Read the digits in pictures, videos and streams.", ""),
    "live": ("edge_mnist.edge.commands.live", "live", "Read digits from a camera, until stopped.", ""),
    "serve": ("edge_mnist.edge.commands.serve", "serve", "Serve a web page and an HTTP API.", "web"),
    "doctor": ("edge_mnist.edge.commands.doctor", "doctor", "Check what this machine has and lacks.", ""),
    "pi-setup": ("edge_mnist.edge.commands.pi_setup", "pi_setup", "Set up a Raspberry Pi, checking first.", ""),
    "verify": (
        "edge_mnist.edge.commands.verify",
        "verify",
        "Check a bundle's hashes and golden vectors on this machine.",
        "",
    ),
    "inspect": (
        "edge_mnist.edge.commands.inspect",
        "inspect",
        "Show what a TFLite or ONNX file holds, without running it.",
        "",
    ),
    "benchmark": (
        "edge_mnist.benchmarks.commands.benchmark",
        "benchmark",
        "Measure accuracy and latency on each runtime here.",
        "report",
    ),
    "compare": (
        "edge_mnist.benchmarks.commands.comparisons",
        "compare",
        "Draw models: accuracy against latency and size.",
        "report",
    ),
    "measure": (
        "edge_mnist.benchmarks.commands.measure",
        "measure",
        "Measure speed, refusals, corruptions, the zoo.",
        "report",
    ),
    "scenes": (
        "edge_mnist.benchmarks.commands.scenes",
        "scenes",
        "Make photo-like pictures of digits, with labels.",
        "",
    ),
    "example": (
        "edge_mnist.benchmarks.commands.scenes",
        "example",
        "Draw a page of digits to try the reader on.",
        "",
    ),
}
# Set by the lines that a shell's completion runs, see docs/guides/examples.md.
COMPLETION_VARIABLE = "_EDGE_MNIST_COMPLETE"
# How a command ends. Tests end it in each of these ways.
EXIT_CODES = {
    0: "Done; `live` and `serve` also after Ctrl-C.",
    1: "Failed, a check failed, or ended by Ctrl-C or a signal; the last line on standard error says which.",
    2: "Misuse: an unknown command or option, or a value outside its range. Nothing was done.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps, and imports a command's module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the pipeline, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or report which packages are missing."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _, extra = COMMANDS[cmd_name]
        backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
        if extra in {"train", "export"} and backend not in BACKENDS:
            raise click.ClickException(f"KERAS_BACKEND is {backend!r}, expected one of {', '.join(BACKENDS)}.")
        try:
            command = getattr(importlib.import_module(module), function)
        except ModuleNotFoundError as error:
            raise _explain_missing(cmd_name, error) from error
        except ImportError as error:
            if error.name is not None and error.name.startswith("edge_mnist"):
                raise
            # For example, too little memory; NumPy puts the reason at the end of a long text.
            reason = str(error).strip().splitlines()[-1]
            raise click.ClickException(f"{cmd_name} cannot load a module it needs: {reason}.") from error
        from .edge.commands.options import add_verbosity  # noqa: PLC0415 - `--help` alone loads nothing

        return add_verbosity(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """Complete the commands without importing them."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only shells need it

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=row[2]) for name, row in COMMANDS.items() if name.startswith(incomplete)]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command as a whole process, which ends even if threads still run."""
        try:
            return super().__call__(*args, **kwargs)
        except SystemExit as ending:
            end_process(ending.code)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary, _) in COMMANDS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; if its output cannot be written, for example to a full disk, report that in one sentence."""
        # Each thread of NumPy's linear algebra reserves 30 MB of addresses; if there are none, a signal ends the
        # process.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        set_verbosity("usual")
        if COMPLETION_VARIABLE in os.environ:
            # A shell asks; click answers in bytes, which safe output refuses.
            return super().main(*args, **kwargs)
        prepare_standard_streams()
        separate_python_stderr()
        with safe_output():
            try:
                return super().main(*args, **kwargs)
            except OSError as error:
                if not _can_print("\n"):
                    reason = f"standard output cannot be written ({error.strerror})."
                elif hint := explain_full_disk():
                    reason = f"{error}.{hint}"
                else:
                    raise
                echo(f"Error: {reason}", err=True)
                sys.exit(1)
            except SystemExit as ending:
                if not _can_print() and not ending.code:
                    sys.exit(1)
                raise

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line; quotations from it stay within one line."""
        with in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Turn the project's expected failures into one sentence and exit code 1, without passwords in addresses."""
        arguments: list[str] = ctx.obj
        try:
            # Like Ctrl-C: started processes end, unfinished files are removed. `live` and `serve` have their own ways.
            with handling_ends(signal.default_int_handler, WITHOUT_KEYBOARD), in_one_line():
                return super().invoke(ctx)
        except EdgeMnistError as error:
            raise click.ClickException(one_line(hide_credentials(str(error), arguments))) from error
        except click.ClickException as error:
            message = hide_credentials(error.message, arguments)
            error.message = message  # pyright: ignore[reportAttributeAccessIssue] - final to click, which shows it
            raise
        except ModuleNotFoundError as error:
            raise _explain_missing(ctx.invoked_subcommand or "", error) from error
        except MemoryError as error:
            raise click.ClickException(OUT_OF_MEMORY) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words of the command line for `invoke`."""
        ctx.obj = [*args]
        return super().parse_args(ctx, args)


def _explain_missing(command: str, error: ModuleNotFoundError) -> Exception:
    """Explain which package a command lacks; return our own mistakes unchanged."""
    reason = explain_missing(error, command, COMMANDS[command][3] if command in COMMANDS else "")
    return click.ClickException(str(reason)) if isinstance(reason, EdgeMnistError) else reason


def _can_print(text: str = "") -> bool:
    """Whether standard output accepts what was printed, and this text; if not, it is not tried again at exit."""
    try:
        if text:
            sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="edge-mnist")
def main() -> None:
    """Handwritten digits on small machines: train, quantize, verify, run and measure.

    \b
    Examples:
      edge-mnist example page.png       draw a page of digits
      edge-mnist run page.png           read the digits in a picture
      edge-mnist export --int8          TFLite and ONNX from the shipped model
      edge-mnist verify                 check that each file computes the same
      edge-mnist benchmark              accuracy and latency of every file here
      edge-mnist train --out my-model   train your own
    """
