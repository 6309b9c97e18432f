"""The report of the zoo: each network's accuracy and cost, and the starting points beside their published claims."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ....edge.bundle.catalogue import Claim
from ....edge.common.files import write_all
from ....edge.common.pages.drawing import make_file
from ....edge.common.pages.markdown import escape_all_markdown, list_points
from ....edge.common.pages.page import Svg
from ....edge.common.statistics import wilson_interval
from ....edge.common.terminal.tables import format_table
from ...comparison.models import ModelPoint, list_claims, list_references
from ...comparison.models_report import LATENCY, SIZE, draw_points
from ...results.peer_inputs import doubt_input
from ...results.wording import format_or_unknown
from ..reading.frames_report import describe_machine
from .zoo import FORMATS, PRECISIONS, TURN_IMAGES
from .zoo_results import Zoo, ZooModel

NAMES = {"tflite": "TFLite", "onnx": "ONNX"}
CHARTS = ("latency", "size")
SPLITS = {"test": "test", "validation": "val."}


def format_zoo(results: Zoo) -> str:
    """Format the report: both tables, and the conditions of the measurement."""
    results = escape_all_markdown(results)
    lines = "; lines are published accuracies, dotted for test, dashed for validation"
    sections = [
        "# The zoo, measured",
        list_points(doubt_peers(results)),
        format_models(results),
        "\n".join(f"![Accuracy against {name}](zoo-{name}.svg)" for name in CHARTS),
        "Better is to the top left. Marks are int8 TFLite files with 95 % intervals, ours trained by our recipe. The "
        "larger the mark, the larger the file. The stairs are the Pareto "
        f"front{lines if list_claims(results.evaluated_on) else ''}.",
        "## Original networks and their published accuracy" if _claimed(results) else "",
        format_claims(results),
        list_points(describe_claims(results)),
        "## How it was measured",
        list_points(describe_zoo(results)),
        "## How each network was trained",
        "\n".join(_describe_training(model) for model in results.models),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def format_models(results: Zoo, style: str = "github") -> str:
    """Format a line for each bundle and peer.

    Args:
        results: The run to show.
        style: A tabulate style: `github` for Markdown, `simple` for a terminal.
    """
    peers = [peer.name for peer in results.peers]
    headers = ["network", "recipe", "parameters", "M mult-adds"]
    headers += [f"{precision.replace('32', '')} {NAMES[format_]} %" for precision in PRECISIONS for format_ in FORMATS]
    headers += ["drop", "int8 bytes", "us", *(f"/ {name.removesuffix('.tflite')}" for name in peers)]
    rows = [_model_cells(results, model) for model in results.models]
    for peer in results.peers:
        cells = [peer.name, "theirs", "", "", f"{100 * peer.correct / results.count:.2f}", "", "", "", ""]
        rows.append([*cells, f"{peer.size_bytes:,}", f"{peer.timed.p50_us:.1f}", *[""] * len(peers)])
    align = ("left", "left", *["right"] * (len(headers) - 2))
    return format_table(rows, headers, style, align)


def doubt_peers(results: Zoo) -> list[str]:
    """List peers that were most likely given inputs other than those they were trained on."""
    doubts = [(peer.name, doubt_input(peer.input_check)) for peer in results.peers if peer.input_check]
    return [f"Peer {name} {doubt}" for name, doubt in doubts if doubt]


def format_claims(results: Zoo, style: str = "github") -> str:
    """Format a line for each starting point: its claim, and each recipe's difference from it in points.

    Empty without claims, as for images other than MNIST's.
    """
    rows: list[list[str]] = []
    for name, claim in _claimed(results):
        cells = [name, str(claim)]
        for recipe in ("description", "edge-mnist"):
            best = _best_of(results, name, recipe)
            cells += _claim_cells(best, claim, results.count) if best else ["", ""]
        rows.append(cells)
    if not rows:
        return ""
    headers = ["network", "claims", "as described %", "against claim", "our recipe %", "against claim"]
    align = ("left", "left", *["right"] * 4)
    return format_table(rows, headers, style, align)


def describe_claims(results: Zoo) -> list[str]:
    """Describe the figures beside the claims, and every one that falls short; empty without claims."""
    if not _claimed(results):
        return []
    sentences = [
        "A claim is compared with our lowest figure on the same split: on test, of the four files, float and "
        "int8 in both formats; on validation, of the Keras model and the int8 files. The difference is in "
        "points.",
    ]
    for name, claim in _claimed(results):
        for recipe, words in (("description", "as described"), ("edge-mnist", "with our recipe")):
            best = _best_of(results, name, recipe)
            if best and (reached := find_lowest_accuracy(best, claim, results.count)) <= claim.accuracy:
                sentences.append(
                    f"`{name}` {words} does not exceed its claim: {100 * reached:.2f} %, claimed: {claim}."
                )
    return sentences


def find_lowest_accuracy(model: ZooModel, claim: Claim, count: int) -> float:
    """Return the lowest accuracy, in [0, 1], that a bundle has on the split of a claim; see `describe_claims`."""
    if claim.split == "test":
        return min(file.correct for file in model.files) / count
    quantized = [file.validation_correct for file in model.files if file.validation_correct is not None]
    return min(model.validation, *(correct / model.validation_count for correct in quantized))


def describe_zoo(results: Zoo) -> list[str]:
    """Describe the conditions: how it was measured, on which machine, with which software."""
    settings, before, after = results.settings, results.host_before, results.host_after
    return [
        f"**Accuracy**: {results.count:,} images, {results.evaluated_on}, each file once, during export; "
        "epochs and quantization were chosen on validation. **Drop** is of int8 against float, TFLite, in "
        "points.",
        f"**Latency**: of the int8 `.tflite` file in {results.runtime}, one thread, one image per call, only "
        f"the runtime's own call; the median of {settings.rounds * settings.turns} turns of {TURN_IMAGES} "
        "images, taken in random order in one process. The last columns divide it by the latency of peer "
        "models in the same run; the JSON file has 95 % intervals, from resampling whole rounds, and all "
        "turns.",
        *(f"**{peer.name}**: SHA-256 {peer.sha256[:12]}…, as published by its authors." for peer in results.peers),
        f"**Machine**: {describe_machine(before)}, load average {format_or_unknown(before.load_1m)} before and "
        f"{format_or_unknown(after.load_1m)} after. edge-mnist {results.edge_mnist}. Started {results.started}.",
    ]


def draw_zoo(results: Zoo) -> dict[str, Svg]:
    """Draw each network's int8 TFLite file, by our recipe if there is one, and peers: SVG by cost."""
    ours = [
        _best_of(results, name, "edge-mnist") or _best_of(results, name, "description") for name in _networks(results)
    ]
    points = [_to_point(results, model) for model in ours if model]
    points += [
        ModelPoint(
            model=peer.name,
            file=peer.name,
            format="tflite",
            # Drawn hollow, as a peer.
            precision="float32",
            runtime=results.runtime,
            size_bytes=peer.size_bytes,
            correct=peer.correct,
            count=results.count,
            interval=wilson_interval(peer.correct, results.count),
            latency_us=peer.timed.p50_us,
        )
        for peer in results.peers
    ]
    references = list_references(results.evaluated_on)
    return {
        "latency": draw_points("Accuracy and latency", LATENCY, points, references),
        "size": draw_points("Accuracy and size", SIZE, points, references),
    }


def _to_point(results: Zoo, model: ZooModel) -> ModelPoint:
    file = model.file("tflite", "int8")
    return ModelPoint(
        model=model.network,
        file=file.name,
        format=file.format,
        precision=file.precision,
        runtime=file.runtime,
        size_bytes=file.size_bytes,
        correct=file.correct,
        count=results.count,
        interval=wilson_interval(file.correct, results.count),
        latency_us=model.timed.p50_us,
    )


def write_zoo_reports(results: Zoo, out: Path) -> tuple[Path, ...]:
    """Write `zoo.json`, `zoo.md` and the drawings into an existing folder; return the paths.

    Raises:
        EdgeMnistError: A file cannot be written.
    """
    contents = {
        "zoo.json": msgspec.json.encode(results).decode(),
        "zoo.md": format_zoo(results).rstrip(),
        **{f"zoo-{name}.svg": make_file(chart).rstrip() for name, chart in draw_zoo(results).items()},
    }
    return write_all({out / name: f"{content}\n".encode() for name, content in contents.items()})


def _model_cells(results: Zoo, model: ZooModel) -> list[str]:
    accuracies = [
        f"{100 * model.file(format_, precision).correct / results.count:.2f}"
        for precision in PRECISIONS
        for format_ in FORMATS
    ]
    int8 = model.file("tflite", "int8")
    lost = model.file("tflite", "float32").correct - int8.correct
    return [
        model.network,
        "as described" if model.recipe_of == "description" else "ours",
        f"{model.parameters:,}",
        f"{model.macs / 1e6:.2f}",
        *accuracies,
        f"{100 * lost / results.count:+.2f}",
        f"{int8.size_bytes:,}",
        f"{model.timed.p50_us:.1f}",
        *(f"{ratio.ratio:.2f}" for ratio in model.ratios),
    ]


def _claimed(results: Zoo) -> list[tuple[str, Claim]]:
    """List the measured starting points, and the claim of each that is compared with."""
    claims = list_claims(results.evaluated_on)
    return [(name, claims[name]) for name in _networks(results) if name in claims]


def _networks(results: Zoo) -> list[str]:
    return list(dict.fromkeys(model.network for model in results.models))


def _best_of(results: Zoo, network: str, recipe_of: str) -> ZooModel | None:
    """Return the bundle of a network and recipe with the best validation accuracy; None if there is none."""
    there = [model for model in results.models if (model.network, model.recipe_of) == (network, recipe_of)]
    return max(there, key=lambda model: model.validation, default=None)


def _claim_cells(model: ZooModel, claim: Claim, count: int) -> list[str]:
    reached = find_lowest_accuracy(model, claim, count)
    return [f"{100 * reached:.2f} {SPLITS[claim.split]}", f"{100 * (reached - claim.accuracy):+.2f}"]


def _describe_training(model: ZooModel) -> str:
    return (
        f"- `{model.bundle}`: epoch {model.best_epoch} of {model.epochs}, {100 * model.validation:.2f} % of "
        f"{model.validation_count:,} validation images, {model.device}: `{model.command}`"
    )


def format_zoo_summary(results: Zoo, style: str) -> str:
    """Format both tables for the terminal."""
    parts: Sequence[str] = (
        *doubt_peers(results),
        format_models(results, style),
        format_claims(results, style),
        *describe_claims(results),
    )
    return "\n\n".join(part for part in parts if part)
