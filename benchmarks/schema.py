"""The published schema of a benchmark's JSON, made from the structs that write it: JSON Schema, draft 2020-12."""

import click
import msgspec

from ..edge.output import echo_text
from .results import SCHEMA_VERSION, Results


def format_schema() -> bytes:
    """The schema as a document, the same bytes for the same structs; docs/results/schema-VERSION.json is this."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Results of edge-mnist benchmark, schema_version {SCHEMA_VERSION}",
        **msgspec.json.schema(Results),
    }
    described["$defs"]["Results"]["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    described["$defs"]["Results"]["required"].insert(0, "schema_version")
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


@click.command()
def schema() -> None:
    """Print the JSON schema of what a benchmark writes.

    \b
    Examples:
      edge-mnist benchmark schema > schema.json
    """
    echo_text(format_schema().decode().rstrip("\n"))
