"""`edge-mnist models`: the networks that can be trained, with their costs, measurements and published claims."""

from pathlib import Path

import click
import msgspec

from ..bundle.catalogue import CATALOGUE, Claim, Entry
from ..bundle.folder import open_bundle
from ..bundle.shipped import find_shipped
from ..common.terminal.formatting import format_percent
from ..common.terminal.output import echo_json, echo_text
from ..common.terminal.tables import format_table_to_width
from ..common.terminal.text import one_line
from .options import BUNDLE

NOTE = "Claims are from the published descriptions, with their own training; all else is from this project."


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements from a bundle's card of its smallest int8 file, or of its smallest file if it has no int8."""

    bundle: str
    file: str
    size_bytes: int
    correct: int
    count: int
    images: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was named, listed by its folder; or a network of the zoo, with its shipped bundle's measurements.

    Attributes:
        network: Name in the zoo, or in the bundle's card for a network that is not in the zoo.
        measured: Measurements; None if no bundle of the network is available.
    """

    name: str
    network: str
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
    """List the networks that can be trained, and the given bundles.

    Shows parameters, multiply-adds per image, and the claims of published descriptions; size and accuracy of the
    smallest int8 file of each shipped bundle. Given bundles come first, under the names of their folders.

    \b
    Examples:
      edge-mnist models
      edge-mnist models my-model --json
    """
    listed = list_models([path for path in bundles if path not in find_shipped()])
    if as_json:
        echo_json(listed)
    else:
        echo_text(format_models(listed))


def list_models(bundles: list[Path]) -> list[Listed]:
    """List the bundles, then every network of the zoo with the measurements of its shipped bundle.

    Raises:
        ModelCardError: A bundle is not valid, or was never exported.
    """
    shipped = {one.network: one.measured for one in map(_describe_bundle, find_shipped())}
    return [
        *map(_describe_bundle, bundles),
        *(_describe(entry, shipped.get(entry.name)) for entry in CATALOGUE.values()),
    ]


def format_models(listed: list[Listed]) -> str:
    """Format a table for people, and below it each network's summary and claims."""
    networks = listed[-len(CATALOGUE) :]
    rows = [
        [
            one_line(one.name),
            f"{one.parameters:,}",
            f"{one.macs:,}",
            f"{one.measured.size_bytes:,}" if one.measured else "",
            format_percent(one.measured.correct / one.measured.count) if one.measured else "",
            ", ".join(map(str, one.claims)) or ("none, it is our own" if one in networks else ""),
        ]
        for one in listed
    ]
    head = ["name", "parameters", "multiply-adds", "bytes", "accuracy", "claimed by its description"]
    align = ["left", "right", "right", "right", "right", "left"]
    table = format_table_to_width(head, rows, align, secondary=["multiply-adds", head[-1]])
    measured = [
        f"Measured for {one.name}: {one.measured.file}, {one.measured.count:,} images, {one.measured.images}."
        for one in listed
        if one.measured
    ]
    about = [f"{one.name}: {one.summary}{f' ({one.remark})' if one.remark else ''}" for one in listed]
    return "\n".join(
        [
            table,
            "",
            *map(one_line, about),
            "",
            *map(one_line, measured),
            NOTE,
            "Next: edge-mnist train --model NAME --out FOLDER",
        ]
    )


def _describe_bundle(path: Path) -> Listed:
    bundle = open_bundle(path)
    evaluation, architecture = bundle.export.evaluations[0], bundle.card.architecture
    file = min(bundle.files, key=lambda file: (file.precision != "int8", file.record.size_bytes))
    # Also works for a folder that was named as `.`.
    name = path.absolute().name
    return Listed(
        name=name,
        network=architecture.name,
        summary=f"a bundle of the network {architecture.name}",
        parameters=architecture.parameters,
        macs=architecture.macs,
        claims=[],
        remark="",
        measured=Measured(
            bundle=name,
            file=file.record.name,
            size_bytes=file.record.size_bytes,
            correct=file.verification.correct,
            count=evaluation.images.count,
            images=evaluation.images.name,
        ),
    )


def _describe(entry: Entry, measured: Measured | None) -> Listed:
    return Listed(
        name=entry.name,
        network=entry.name,
        summary=entry.summary,
        parameters=entry.parameters,
        macs=entry.macs,
        claims=list(entry.claims),
        remark=entry.remark,
        measured=measured,
    )
