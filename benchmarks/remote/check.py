"""Results that another machine sent are input like any other: checked before anything is made of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ..results.files import ResultsError, decode_results
from ..results.schema import BenchmarkSettings, Results
from .session import RemoteError, quote_machine

# No name, version or reason is longer.
MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class Expected:
    """What results must agree with, for that was sent. `files` are names, SHA-256 and sizes."""

    edge_mnist: str
    card_sha256: str
    images_sha256: str
    image_count: int
    settings: BenchmarkSettings
    files: frozenset[tuple[str, str, int]]


def check_results(content: bytes, expected: Expected) -> Results:
    """Read what came back, and hold it to what was sent.

    Raises:
        RemoteError: It is no result, or one of something else.
    """
    results = _read(content)
    fault = next(_find_faults(results, expected), None)
    if fault:
        raise RemoteError(f"sent results that cannot be used: {quote_machine(fault)}.")
    return results


def _read(content: bytes) -> Results:
    try:
        return decode_results(content, "its JSON")
    except ResultsError as error:
        raise RemoteError(f"sent results that cannot be used: {quote_machine(str(error))}") from error


def _find_faults(results: Results, expected: Expected) -> Iterator[str]:
    for name in ("edge_mnist", "card_sha256", "images_sha256", "image_count", "settings"):
        theirs, ours = getattr(results, name), getattr(expected, name)
        if theirs != ours:
            yield f"its {name} is {theirs}, and here it is {ours}"
    if len(results.machines) != 1:
        yield f"it tells of {len(results.machines)} machines"
    for row in results.rows:
        if (row.file, row.file_sha256, row.size_bytes) not in expected.files or row.is_peer:
            yield f"it measured {row.file} with SHA-256 {row.file_sha256[:12]}, which is not what it was sent"
    if not results.rows:
        yield "it measured nothing"
    yield from _find_odd_values(msgspec.to_builtins(results))


def _find_odd_values(value: Any) -> Iterator[str]:
    """Words that a terminal or a page might take for more than words, and figures that are none."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _find_odd_values(key)
            yield from _find_odd_values(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _find_odd_values(inner)
    elif isinstance(value, str) and (len(value) > MOST_CHARACTERS or not value.isprintable()):
        yield f"it holds a text that is too long or not printable, {value[:20]!r}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"it holds the figure {value}"
