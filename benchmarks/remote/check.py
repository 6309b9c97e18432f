"""Results from another machine are untrusted input: they are checked before they are used."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import BenchmarkError
from ..results.files import decode_results
from ..results.schema import BenchmarkSettings, Results
from .session import quote_machine

# Longest name, version or reason.
MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class Expected:
    """The properties of the sent job that results must agree with. `files` are names, SHA-256 and sizes."""

    edge_mnist: str
    card_sha256: str
    images_sha256: str
    image_count: int
    settings: BenchmarkSettings
    files: frozenset[tuple[str, str, int]]


def check_results(content: bytes, expected: Expected) -> Results:
    """Decode the received results, and check that they belong to the sent job.

    Raises:
        BenchmarkError: The content is not a result, or belongs to something else.
    """
    results = _read(content)
    fault = next(_find_faults(results, expected), None)
    if fault:
        raise BenchmarkError(f"sent results that cannot be used: {quote_machine(fault)}.")
    return results


def _read(content: bytes) -> Results:
    try:
        return decode_results(content, "its JSON")
    except BenchmarkError as error:
        raise BenchmarkError(f"sent results that cannot be used: {quote_machine(str(error))}") from error


def _find_faults(results: Results, expected: Expected) -> Iterator[str]:
    for name in ("edge_mnist", "card_sha256", "images_sha256", "image_count", "settings"):
        theirs, ours = getattr(results, name), getattr(expected, name)
        if theirs != ours:
            yield f"its {name} is {theirs}, and here it is {ours}"
    if len(results.machines) != 1:
        yield f"it describes {len(results.machines)} machines, expected 1"
    for row in results.rows:
        if (row.file, row.file_sha256, row.size_bytes) not in expected.files or row.is_peer:
            yield f"it measured {row.file} with SHA-256 {row.file_sha256[:12]}, which is not the file that was sent"
    if not results.rows:
        yield "it contains no measurement"
    yield from _find_odd_values(msgspec.to_builtins(results))


def _find_odd_values(value: Any) -> Iterator[str]:
    """Yield texts that may control a terminal or a page, and figures that are not finite numbers."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _find_odd_values(key)
            yield from _find_odd_values(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _find_odd_values(inner)
    elif isinstance(value, str) and (len(value) > MOST_CHARACTERS or not value.isprintable()):
        yield f"it contains a text that is too long or not printable, {value[:20]!r}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"it contains the invalid number {value}"
