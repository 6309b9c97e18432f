"""What strangers write into names and files, to see where it comes out."""

import re

# A window's title, red, clear screen as an 8-bit sequence, an override of the writing direction, backspaces.
STEERING = "\x1b]0;pwned\x07\x1b[31m\x1b[2J\x9b2J\u202e\u2066\b\b\x7f"
# And a second line, by every character that ends one somewhere.
FORGED = "\nFORGED\rFORGED\x85FORGED\u2028FORGED\u2029FORGED\x0bFORGED\x0cFORGED"
EVERYTHING = STEERING + FORGED
MARKUP = "<img src=x onerror=alert(1)>|`code`**bold**[link](http://evil.example)![i](x) www.evil.example _a_ ~~b~~ $c$"
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def find_steering(text: str) -> list[str]:
    """What of the text would steer a terminal or end a line."""
    return sorted({repr(found) for found in _STEERS.findall(text)})


def find_forged(text: str) -> list[str]:
    """Lines that begin with a stranger's words."""
    return [line for line in text.splitlines() if line.startswith("FORGED")]
