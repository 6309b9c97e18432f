"""Make untrusted text safe for Markdown reports and for spreadsheets.

Names of models, peers, machines and conditions come from files and from other machines. A report escapes them all at
once: it is written from a copy of its results in which every text is escaped, so no sentence can forget one.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from ..terminal.text import one_line

# Characters with a meaning in Markdown, at a line's beginning or anywhere, or in a cell; "_" has none within a word.
_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|^[#+=>-]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# Tags and comments, and character references; GitHub makes links of bare addresses.
_HTML = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|:(?=//)|(?<=www)\.", re.IGNORECASE)
# A spreadsheet computes a cell that begins with one of these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Document = TypeVar("Document", bound=msgspec.Struct)


def escape_markdown(text: str) -> str:
    """Escape text for Markdown: no cell, link, picture, code, HTML or line begins or ends in it."""
    named = _HTML.sub(lambda match: f"&#{ord(match[0])};", text)
    return one_line(_MARKDOWN.sub(r"\\\g<0>", named))


def escape_all_markdown(document: Document) -> Document:
    """Copy a report's results with every text in them escaped."""
    return _map_texts(document)


def list_points(sentences: Iterable[str]) -> str:
    """Format sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def csv_cell(value: object) -> object:
    """Make a cell that no spreadsheet computes: text that looks like a formula gets an apostrophe. Numbers stay."""
    if not isinstance(value, str):
        return value
    return f"'{one_line(value)}" if value.startswith(_FORMULA) else one_line(value)


def _map_texts(value: Any) -> Any:
    if isinstance(value, str):
        return escape_markdown(value)
    if isinstance(value, msgspec.Struct):
        changed = {name: _map_texts(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **changed)
    if isinstance(value, dict):
        return {_map_texts(key): _map_texts(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_map_texts, value))
    return value
