"""`edge-mnist doctor`: check this machine for live reading, with a command to fix each problem."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby

import click
from rich.text import Text

from ..common.terminal.console import open_console
from ..common.terminal.output import echo_text
from ..common.terminal.text import one_line
from ..doctor.examine import run_checks
from ..doctor.machine import Machine
from ..doctor.verdicts import CheckResult, Level

# Version of the JSON document; raised when a field changes its meaning or is removed.
DOCUMENT_VERSION = 1
SYMBOLS: dict[Level, str] = {"ok": "✓", "note": "!", "problem": "✗"}
PLAIN_SYMBOLS: dict[Level, str] = {"ok": "+", "note": "!", "problem": "x"}
COLORS: dict[Level, str] = {"ok": "green", "note": "yellow", "problem": "red"}
NAME_WIDTH = 15


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with the version of its format.")
def doctor(as_json: bool) -> None:
    """Check what live reading needs on this machine; for each problem, show the command that fixes it.

    Nothing is changed. Exit code 0 when live reading can work here, 1 when something required is missing.

    \b
    Examples:
      edge-mnist doctor
      edge-mnist doctor --json > doctor.json
    """
    findings = run_checks(Machine())
    if as_json:
        echo_text(json.dumps(describe(findings), indent=2))
    else:
        # Lines are not wrapped, because commands in them are meant to be copied.
        open_console().print(format_findings(findings, _symbols()), soft_wrap=True)
    if any(finding.blocks_live for finding in findings):
        raise SystemExit(1)


def describe(findings: Sequence[CheckResult]) -> dict[str, object]:
    """Convert findings to JSON: `version`, `edge_mnist`, `can_read_live`, and `findings` in the order of the checks.

    Each finding has `name`, `level` (ok, note, problem), `needed`, `message`, and `fix`, which is null if it is ok.
    """
    return {
        "version": DOCUMENT_VERSION,
        "edge_mnist": version("edge-mnist"),
        "can_read_live": not any(finding.blocks_live for finding in findings),
        "findings": [
            {
                "name": finding.name,
                "level": finding.verdict.level,
                "needed": finding.needed,
                "message": finding.verdict.message,
                "fix": finding.verdict.fix or None,
            }
            for finding in findings
        ],
    }


def format_findings(findings: Sequence[CheckResult], symbols: dict[Level, str]) -> Text:
    """Format findings for people: a line each under its heading, the fix below it, and a sentence at the end."""
    lines: list[Text] = []
    for group, members in groupby(findings, key=lambda finding: finding.group):
        lines.append(Text(group, "bold"))
        for finding in members:
            verdict = finding.verdict
            mark = (symbols[verdict.level], COLORS[verdict.level])
            lines.append(Text.assemble("  ", mark, one_line(f" {finding.name:<{NAME_WIDTH}}{verdict.message}")))
            if verdict.fix:
                lines.append(Text(one_line(f"    {'':<{NAME_WIDTH}}do: {verdict.fix}")))
    missing = [finding.name for finding in findings if finding.blocks_live]
    end = f"Live reading cannot work here yet: {', '.join(missing)}." if missing else "Live reading can work here."
    return Text("\n").join([*lines, Text(), Text(end)])


def _symbols() -> dict[Level, str]:
    """Choose symbols that standard output can encode."""
    try:
        "".join(SYMBOLS.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return PLAIN_SYMBOLS
    return SYMBOLS
