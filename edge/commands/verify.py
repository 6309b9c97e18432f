"""`edge-mnist verify`: check a bundle's hashes, and its golden vectors on every runtime of this machine."""

import json
from pathlib import Path

import click

from ..bundle.card import ModelCardError
from ..bundle.export_record import ModelFile
from ..bundle.folder import Bundle, open_bundle
from ..bundle.shipped import SHIPPED
from ..common.errors import RuntimeUnavailableError
from ..common.terminal.output import echo, echo_text
from ..runtimes.loading import load_classifier
from ..runtimes.registry import RUNTIMES, Runtime
from .options import BUNDLE

PASSED, FAILED, NOT_RUN = "passed", "FAILED", "not run"


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
    results = check_files(opened)
    if as_json:
        echo_text(json.dumps(results))
    else:
        echo(f"{bundle}: the card's seal and the hashes of {len(opened.card.records())} files match.")
        for result in results:
            reason = f": {result['reason']}" if result["reason"] else ""
            echo(f"  {result['outcome']:<8} {result['file']} on {result['runtime']}{reason}")
    if any(result["outcome"] == FAILED for result in results):
        raise SystemExit(1)


def check_files(bundle: Bundle) -> list[dict[str, str]]:
    """Run the golden vectors of every file on every runtime of its format.

    Returns:
        For each pair: `file`, `runtime`, `outcome` (passed, FAILED, not run) and `reason` (empty if it passed).
    """
    return [
        {"file": file.record.name, "runtime": runtime.name, **_check(bundle, file, runtime)}
        for file in bundle.files
        for runtime in RUNTIMES.values()
        if runtime.format == file.format
    ]


def _check(bundle: Bundle, file: ModelFile, runtime: Runtime) -> dict[str, str]:
    if not runtime.installed:
        return {"outcome": NOT_RUN, "reason": "not installed"}
    try:
        load_classifier(bundle, runtime, file.precision)
    except RuntimeUnavailableError as error:
        return {"outcome": NOT_RUN, "reason": str(error)}
    except ModelCardError as error:
        return {"outcome": FAILED, "reason": str(error)}
    return {"outcome": PASSED, "reason": ""}
