"""`edge-mnist inspect`: the content of a TFLite or ONNX file, as a page for people or as JSON for programs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..common.files import read_file
from ..common.terminal.output import echo_json, echo_text
from ..common.terminal.tables import format_table
from ..common.terminal.text import printable
from ..inspection.inspect import Inspection, inspect_file
from ..inspection.model import TensorInfo

# Both formats end there: signed 32-bit offsets in one, protobuf's limit in the other.
MOST_BYTES = 2**31 - 1
# Longer values, such as golden vectors, are for programs, in --json.
LONGEST_SHOWN = 200


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with everything, long values included.")
def inspect(file: Path, as_json: bool) -> None:
    """Show what a TFLite or ONNX file holds: inputs, outputs, operators, weights, multiply-adds and metadata.

    The model is not run. ONNX files need the package onnx. Their external weight files must be in the model's folder;
    size and SHA-256 are then those of `cat MODEL DATA...`, with the data files sorted by name.

    \b
    Examples:
      edge-mnist inspect model.tflite
      edge-mnist inspect model.onnx --json
    """
    inspection = inspect_file(read_file(file, MOST_BYTES), str(file), file.parent)
    if as_json:
        echo_json(inspection)
    else:
        echo_text(format_inspection(inspection))


def format_inspection(inspection: Inspection) -> str:
    """Format a page for people: the file's identity first, its metadata last."""
    model = inspection.model
    tensors = [_row("input", tensor) for tensor in model.inputs] + [_row("output", tensor) for tensor in model.outputs]
    weights = [(w.dtype, w.scales or "none", w.tensors, f"{w.parameters:,}") for w in model.weights]
    operators = [(o.name if o.version is None else f"{o.name} v{o.version}", o.count) for o in model.operators]
    sections = (
        _table(_facts(inspection).items(), ()),
        _table(tensors, ("", "name", "shape", "dtype", "scale", "zero point")),
        _table(operators, ("operator", "count")),
        _table(weights, ("weights", "scales", "tensors", "parameters")),
        _table(sorted(model.properties.items()), ("metadata", "")) if model.properties else "no metadata",
    )
    return "\n\n".join((printable(inspection.file), *sections))


def _facts(inspection: Inspection) -> dict[str, str]:
    model = inspection.model
    left_out = f" (not counted: {', '.join(model.not_counted)})" if model.not_counted else ""
    return {
        "format": {"tflite": "TFLite", "onnx": "ONNX"}[inspection.format],
        "size": f"{inspection.size_bytes:,} bytes",
        "SHA-256": inspection.sha256,
        "parameters": f"{inspection.parameters:,}",
        "MACs per image": f"{model.macs:,}{left_out}",
        **(
            {"weights in": printable(", ".join(file.location for file in model.data_files))} if model.data_files else {}
        ),
        **model.header,
    }


def _row(kind: str, tensor: TensorInfo) -> tuple[Any, ...]:
    shape = str(list(tensor.shape)).replace("-1", "?")
    scale = None if tensor.scale is None else f"{tensor.scale:.6g}"
    return kind, tensor.name, shape, tensor.dtype, scale, tensor.zero_point


def _table(rows: Iterable[Iterable[Any]], headers: tuple[str, ...]) -> str:
    cells = [["-" if value in {None, ""} else _shorten(str(value)) for value in row] for row in rows]
    return format_table(cells, headers, "plain")


def _shorten(text: str) -> str:
    return printable(text) if len(text) <= LONGEST_SHOWN else f"({len(text):,} characters)"
