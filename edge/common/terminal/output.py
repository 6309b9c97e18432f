"""The only way to a terminal: everything that is printed is cleaned, whatever it quotes and whoever prints it.

`echo` prints one line. While a command runs, standard output and standard error are `SafeStream`s besides, so that
usage errors, warnings, log lines and tracebacks are cleaned, too. Two of our own may steer the terminal: the bars of
progress.py and the console of console.py. They clean what they show and write to the stream beneath.
"""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import click

from .text import clean, one_line


def echo(text: object = "", *, err: bool = False) -> None:
    """Print one line; a line break within a name in it is shown as an escape.

    Args:
        text: Of the line.
        err: Whether it goes to standard error: progress and problems; results go to standard output.
    """
    click.echo(one_line(text), err=err)


def echo_lines(lines: Iterable[object], *, err: bool = False) -> None:
    """Print each of them as one line."""
    for line in lines:
        echo(line, err=err)


def echo_text(text: str) -> None:
    """Print a table of `format_table`, or a JSON document: what they quote is within its line already."""
    click.echo(clean(text))


def echo_json(document: object) -> None:
    """Print a struct as one JSON document; names with bytes that are not UTF-8 have surrogates in it."""
    import msgspec  # noqa: PLC0415 - `--help` prints, too, and loads nothing

    try:
        text = msgspec.json.encode(document).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(document))
    click.echo(text)


class SafeStream:
    """A text stream that shows control characters as escapes, and has no way around that for bytes."""

    def __init__(self, stream: TextIO) -> None:
        """Write to this stream."""
        self.beneath = stream

    def write(self, text: str) -> int:
        """Write the text, cleaned."""
        self.beneath.write(clean(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them, cleaned."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        # click would open another text stream on it where the locale is plain C.
        if name == "buffer":
            raise AttributeError("text that is printed is cleaned; there is no way around it for bytes")
        return getattr(self.beneath, name)


@contextmanager
def safe_output() -> Iterator[None]:
    """Clean all that is printed within the block, and keep log records that have no other handler to one line each.

    After an exception that nobody expected the streams stay as they are: Python prints its traceback later.
    """
    before = sys.stdout, sys.stderr
    make_streams_safe()
    if logging.lastResort:
        logging.lastResort.setFormatter(LineFormatter())
    try:
        yield
    except SystemExit:
        sys.stdout, sys.stderr = before
        raise
    sys.stdout, sys.stderr = before


def make_streams_safe() -> None:
    """Clean what is printed from here on; again, where somebody has put other streams in their place."""
    sys.stdout, sys.stderr = _make_safe(sys.stdout), _make_safe(sys.stderr)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Keep the message of a command's failure to one line, whatever names it quotes."""
    try:
        yield
    except click.ClickException as error:
        # click declares it final, and makes every sentence of it.
        setattr(error, "message", one_line(error.message))  # noqa: B010 - see above
        raise


def stream_beneath(stream: TextIO) -> TextIO:
    """The stream on which cursor movements have their effect, for those who clean what they write themselves."""
    return stream.beneath if isinstance(stream, SafeStream) else stream


class LineFormatter(logging.Formatter):
    """Formats a log record as one line, whatever it quotes; a traceback still has its own lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Keep the message, not what follows it, to one line."""
        return one_line(super().formatMessage(record))


def _make_safe(stream: TextIO | None) -> TextIO:
    """None, where a program was started with a closed stream, stays None."""
    if stream is None or isinstance(stream, SafeStream):
        return cast("TextIO", stream)
    return cast("TextIO", SafeStream(stream))
