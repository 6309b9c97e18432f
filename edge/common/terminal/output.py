"""The only way to print: everything printed is cleaned, independent of its content and of the code that prints it.

`echo` prints one line. While a command runs, standard output and standard error are `SafeStream`s as well, so that
usage errors, warnings, log lines and tracebacks are cleaned, too. Two of our own classes may steer the terminal: the
bars of progress.py and the console of console.py. They clean what they show and write to the stream beneath.
"""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import click
from click.exceptions import NoArgsIsHelpError

from .text import clean, one_line


def echo(text: object = "", *, err: bool = False) -> None:
    """Print one line; a line break within a name in it is shown as an escape.

    Args:
        text: Text of the line.
        err: Whether it goes to standard error: progress and problems; results go to standard output.
    """
    click.echo(one_line(text), err=err)


def echo_lines(lines: Iterable[object], *, err: bool = False) -> None:
    """Print each item as one line."""
    for line in lines:
        echo(line, err=err)


def echo_text(text: str) -> None:
    """Print a table of `format_table`, or a JSON document: values in it are already escaped to stay within a line."""
    click.echo(clean(text))


def echo_json(document: object) -> None:
    """Print a struct as one JSON document; names with bytes that are not UTF-8 contain surrogates."""
    import msgspec  # noqa: PLC0415 - `--help` prints, too, and loads nothing

    try:
        text = msgspec.json.encode(document).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(document))
    click.echo(text)


class SafeStream:
    """A text stream that shows control characters as escapes and offers no access to its bytes."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap this stream."""
        self.beneath = stream

    def write(self, text: str) -> int:
        """Write the text, cleaned."""
        self.beneath.write(clean(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line, cleaned."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        # click would open another text stream on it if the locale is plain C.
        if name == "buffer":
            raise AttributeError("printed text is cleaned, so bytes cannot be written")
        return getattr(self.beneath, name)


@contextmanager
def safe_output() -> Iterator[None]:
    """Clean everything printed within the block, and keep log records that have no other handler to one line each.

    After an unexpected exception the streams stay wrapped, because Python prints its traceback later.
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
    """Clean everything printed from now on; call it again if other code has replaced the streams."""
    sys.stdout, sys.stderr = _make_safe(sys.stdout), _make_safe(sys.stderr)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Keep the message of a command's failure to one line, whatever names it quotes; help stays as it is."""
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except click.ClickException as error:
        # click declares it final, and builds every sentence from it.
        setattr(error, "message", one_line(error.message))  # noqa: B010 - see above
        raise


def stream_beneath(stream: TextIO) -> TextIO:
    """Return the stream on which cursor movements have their effect, for code that cleans its own output."""
    return stream.beneath if isinstance(stream, SafeStream) else stream


class LineFormatter(logging.Formatter):
    """A formatter that writes a log record as one line, whatever it quotes; a traceback keeps its own lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Keep the message, not the traceback after it, to one line."""
        return one_line(super().formatMessage(record))


def _make_safe(stream: TextIO | None) -> TextIO:
    """Wrap a stream; None, from a program started with a closed stream, stays None."""
    if stream is None or isinstance(stream, SafeStream):
        return cast("TextIO", stream)
    return cast("TextIO", SafeStream(stream))
