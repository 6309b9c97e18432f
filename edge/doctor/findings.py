"""What a check can say: fine, worth knowing, or wrong; and never one of the last two without what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Verdict:
    """What one check says.

    Attributes:
        level: `note` is worth knowing, `problem` is wrong.
        message: What was found, for people.
        fix: The one command that mends it, or what to do where no command can; empty if and only if it is ok.
    """

    level: Level
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Finding:
    """A verdict with the check that gave it.

    Attributes:
        group: Heading under which it is shown.
        name: Of the check, stable.
        needed: Whether live reading cannot work while this is a problem.
        verdict: What it says.
    """

    group: str
    name: str
    needed: bool
    verdict: Verdict

    @property
    def prevents_live(self) -> bool:
        """Whether live reading cannot work because of it."""
        return self.needed and self.verdict.level == "problem"


def ok(message: str) -> Verdict:
    """All is well."""
    return Verdict("ok", message)


def note(message: str, fix: str) -> Verdict:
    """Worth knowing."""
    return Verdict("note", message, fix)


def problem(message: str, fix: str) -> Verdict:
    """Something is wrong."""
    return Verdict("problem", message, fix)
