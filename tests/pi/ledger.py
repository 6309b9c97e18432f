"""What was checked, as a table and a JSON file. It has no latency: an emulator's says nothing of a Pi's."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tabulate import tabulate

WHAT = "emulated aarch64 + libcamera virtual camera"
FAILED = "FAILED"


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Attributes:
        cpu: The processor that is emulated.
        system: Debian's release.
        runtime: What computes.
        file: The model's.
        given: What goes in, e.g. `64 images`.
    """

    cpu: str
    system: str
    runtime: str
    file: str
    given: str


@dataclass
class Ledger:
    """All checks of a run, each with its outcome."""

    checks: list[tuple[Subject, str]] = field(default_factory=list)

    @contextmanager
    def check(self, subject: Subject, claim: str) -> Iterator[None]:
        """Enter what the block checks: the claim, e.g. `equal to x86_64`, or that it failed if the block raises."""
        outcome = FAILED
        try:
            yield
            outcome = claim
        finally:
            self.checks.append((subject, outcome))

    def format(self) -> str:
        """A table for people."""
        headers = ("processor", "Debian", "runtime", "file", "given", "outcome")
        rows = [(*asdict(subject).values(), outcome) for subject, outcome in self.checks]
        return tabulate(rows, headers, disable_numparse=True)

    def write(self, path: Path) -> None:
        """The same for programs; the file is complete or not there."""
        checks = [{**asdict(subject), "outcome": outcome} for subject, outcome in self.checks]
        staging = path.with_suffix(".part")
        staging.write_text(json.dumps({"what": WHAT, "host": platform.machine(), "checks": checks}, indent=1) + "\n")
        staging.replace(path)
