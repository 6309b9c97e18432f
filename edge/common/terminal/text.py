r"""Make untrusted text safe for where it is shown: terminals and logs, HTML, names of files.

File names, cards, models' metadata, labels, results of other machines and answers from brokers and cameras may hold
anything: sequences that steer a terminal, characters that reverse the reading direction, line breaks that forge a
second line. Control characters are shown as JSON writes them (`\n`, `\u001b`), so cleaning a whole JSON document
changes none of its values. Markdown and spreadsheets have their own in edge/common/pages/markdown.py.
"""

import html
import re

# C0 except tab and line feed, delete, C1; marks, embeddings, overrides and isolates of writing direction; separators
# of lines and paragraphs; surrogates, which stand for bytes of a file name that are not UTF-8.
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_STEERING = re.compile(f"[{_CONTROL}]")
_BREAKING = re.compile(f"[\t\n{_CONTROL}]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
# File systems allow 255; numbers, suffixes and the temporary name of an unfinished file need the rest.
LONGEST_NAME_BYTES = 180


def clean(text: str) -> str:
    """Show control characters as escapes; line feeds and tabs are kept."""
    return _STEERING.sub(_escape, text)


def one_line(text: object) -> str:
    """Show a text, a path or an error within one line: line feeds and tabs are escaped, too."""
    return _BREAKING.sub(_escape, str(text))


def printable(text: str) -> str:
    """Replace characters that are not printable by blanks: for names that are only shown."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def escape_html(text: str) -> str:
    """Escape text for an HTML or SVG document, or for an attribute's value in quotes."""
    return html.escape(clean(text))


def file_name(text: str) -> str:
    """Make text a part of a file name: without separators and control characters, and not too long."""
    name = _BREAKING.sub("_", text).replace("/", "_")
    return name.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"
