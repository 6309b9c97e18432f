"""`edge-mnist models`: what can be trained, what each costs, what was measured of it, and what others claim."""

from pathlib import Path

import click
import msgspec

from .bundle import find_shipped, open_bundle
from .catalogue import CATALOGUE, Claim, Entry
from .fitting_table import format_fitting
from .options import BUNDLE
from .output import echo_json, echo_text
from .safe_text import one_line
from .shares import format_share

NOTE = "Claims are those of the published descriptions, by their own training; everything else is this project's."


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle's card says of its smallest int8 file, or of its smallest one where it has no int8."""

    bundle: str
    file: str
    size_bytes: int
    correct: int
    count: int
    images: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A network of the zoo; `measured` is None where no bundle of it is at hand."""

    name: str
    summary: str
    parameters: int
    macs: int
    claims: list[Claim]
    remark: str
    measured: Measured | None


@click.command()
@click.argument("bundles", nargs=-1, type=BUNDLE, metavar="[BUNDLE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and no table.")
def models(bundles: tuple[Path, ...], as_json: bool) -> None:
    """List the networks that can be trained.

    Parameters, multiply-adds an image, and what their published descriptions claim; size and accuracy of the smallest
    int8 file where a bundle has one: the shipped bundles, and other exported ones that are named, which come first.

    \b
    Examples:
      edge-mnist models
      edge-mnist models my-model --json
    """
    listed = list_models([*bundles, *find_shipped()])
    if as_json:
        echo_json(listed)
    else:
        echo_text(format_models(listed))


def list_models(bundles: list[Path]) -> list[Listed]:
    """Every network of the zoo beside what was measured of it; of several bundles of one network the first counts.

    Raises:
        ModelCardError: A bundle does not hold, or was never exported.
    """
    measured: dict[str, Measured] = {}
    for bundle in bundles:
        network, found = _read_measured(bundle)
        measured.setdefault(network, found)
    return [_describe(entry, measured.get(entry.name)) for entry in CATALOGUE.values()]


def format_models(listed: list[Listed]) -> str:
    """A table for people, and below it each network's summary and claims."""
    rows = [
        [
            one.name,
            f"{one.parameters:,}",
            f"{one.macs:,}",
            f"{one.measured.size_bytes:,}" if one.measured else "",
            format_share(one.measured.correct / one.measured.count) if one.measured else "",
            ", ".join(map(str, one.claims)) or "none, it is ours",
        ]
        for one in listed
    ]
    head = ["name", "parameters", "multiply-adds", "bytes", "accuracy", "claimed by its description"]
    align = ["left", "right", "right", "right", "right", "left"]
    table = format_fitting(head, rows, align, secondary=["multiply-adds", head[-1]])
    measured = [
        f"Measured of {one.name}: {one.measured.file}, {one.measured.count:,} images, {one.measured.images}."
        for one in listed
        if one.measured
    ]
    about = [f"{one.name}: {one.summary}{f' ({one.remark})' if one.remark else ''}" for one in listed]
    return "\n".join(
        [table, "", *about, "", *map(one_line, measured), NOTE, "Next: edge-mnist train --model NAME --out FOLDER"]
    )


def _read_measured(path: Path) -> tuple[str, Measured]:
    bundle = open_bundle(path)
    evaluation = bundle.export.evaluations[0]
    file = min(bundle.files, key=lambda file: (file.precision != "int8", file.record.size_bytes))
    return bundle.card.architecture.name, Measured(
        bundle=path.name,
        file=file.record.name,
        size_bytes=file.record.size_bytes,
        correct=file.verification.correct,
        count=evaluation.images.count,
        images=evaluation.images.name,
    )


def _describe(entry: Entry, measured: Measured | None) -> Listed:
    return Listed(
        name=entry.name,
        summary=entry.summary,
        parameters=entry.parameters,
        macs=entry.macs,
        claims=list(entry.claims),
        remark=entry.remark,
        measured=measured,
    )
