"""What a check can say: fine, worth knowing, or wrong; and never one of the last two without what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class CheckVerdict:
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
class CheckResult:
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
    verdict: CheckVerdict

    @property
    def blocks_live(self) -> bool:
        """Whether live reading cannot work because of it."""
        return self.needed and self.verdict.level == "problem"


def ok(message: str) -> CheckVerdict:
    """All is well."""
    return CheckVerdict("ok", message)


def note(message: str, fix: str) -> CheckVerdict:
    """Worth knowing."""
    return CheckVerdict("note", message, fix)


def problem(message: str, fix: str) -> CheckVerdict:
    """Something is wrong."""
    return CheckVerdict("problem", message, fix)
