"""Verdicts of a check: ok, note, or problem; the last two always state what to do."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class CheckVerdict:
    """The verdict of one check.

    Attributes:
        level: `note` is worth knowing, `problem` is wrong.
        message: Finding, for people.
        fix: Command that fixes it, or advice if no command can; empty if and only if it is ok.
    """

    level: Level
    message: str
    fix: str = ""


@dataclass(frozen=True)
class CheckResult:
    """A verdict with the check that returned it.

    Attributes:
        group: Heading under which it is shown.
        name: Stable name of the check.
        needed: Whether live reading cannot work while this is a problem.
        verdict: Verdict of the check.
    """

    group: str
    name: str
    needed: bool
    verdict: CheckVerdict

    @property
    def blocks_live(self) -> bool:
        """Whether it prevents live reading."""
        return self.needed and self.verdict.level == "problem"


def ok(message: str) -> CheckVerdict:
    """Make a verdict that all is well."""
    return CheckVerdict("ok", message)


def note(message: str, fix: str) -> CheckVerdict:
    """Make a verdict that is worth knowing."""
    return CheckVerdict("note", message, fix)


def problem(message: str, fix: str) -> CheckVerdict:
    """Make a verdict that something is wrong."""
    return CheckVerdict("problem", message, fix)
