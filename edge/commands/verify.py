"""`edge-mnist verify`: check a bundle's hashes, and its golden vectors on every runtime of this machine."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from ..bundle.folder import open_bundle
from ..bundle.shipped import SHIPPED
from ..common.terminal.output import echo, echo_text
from ..runtimes.checking import FAILED
from ..runtimes.checking import verify as check_bundle
from .options import BUNDLE


@click.command()
@click.argument("bundle", type=BUNDLE, default=SHIPPED, required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document: a list with a result for each file and runtime."
)
def verify(bundle: Path, as_json: bool) -> None:
    """Check a bundle's hashes, and run its golden vectors on every runtime installed here.

    Golden vectors are ten images and the logits that each file computed for them when it was exported. `run` and
    `benchmark` also check them, for the file that they load. Exit code 1 if any check fails.

    \b
    Examples:
      edge-mnist verify
      edge-mnist verify my-model --json
    """
    opened = open_bundle(bundle)
    checks = check_bundle(opened)
    if as_json:
        echo_text(json.dumps([asdict(check) for check in checks]))
    else:
        echo(f"{bundle}: the card's seal and the hashes of {len(opened.card.records())} files match.")
        for check in checks:
            reason = f": {check.reason}" if check.reason else ""
            echo(f"  {check.outcome:<8} {check.file} on {check.runtime}{reason}")
    if any(check.outcome == FAILED for check in checks):
        raise SystemExit(1)
