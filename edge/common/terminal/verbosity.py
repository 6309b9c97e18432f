"""How much a command says on standard error: `-q` drops progress and advice, `-v` adds a log of what happens."""

import logging
import sys
from typing import Literal

from .output import LineFormatter, echo

Verbosity = Literal["quiet", "usual", "verbose"]

_state: dict[str, Verbosity] = {"verbosity": "usual"}


def set_verbosity(verbosity: Verbosity) -> None:
    """Set it for the rest of the process; `verbose` also prints the log."""
    _state["verbosity"] = verbosity
    if verbosity == "verbose":
        handler = logging.StreamHandler()
        handler.setFormatter(LineFormatter())
        logging.basicConfig(level=logging.INFO, handlers=[handler])


def is_quiet() -> bool:
    """Whether progress and advice are dropped."""
    return _state["verbosity"] == "quiet"


def note(text: object) -> None:
    """Print one line of progress or advice on standard error; warnings and errors use `echo`, which `-q` keeps."""
    if not is_quiet():
        echo(text, err=True)


def announce_loading(package: str) -> None:
    """Say that a slow import begins, to people at a terminal, and in the log of `-v`."""
    if sys.stderr.isatty() or _state["verbosity"] == "verbose":
        note(f"Loading {package} …")
