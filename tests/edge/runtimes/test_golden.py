"""Golden vectors: whatever is wrong inside a file that was sealed all the same is refused, with its cause named."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_mnist.benchmarks.scenes.pages import write_page
from edge_mnist.edge.bundle.card import ModelCardError
from edge_mnist.edge.bundle.contract import PRECISION_KEY, SCALING_LAYER
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.bundle.writing import describe_file, write_card
from edge_mnist.edge.data.images import Images
from edge_mnist.edge.runtimes.golden import pack_pixels, unpack_pixels
from edge_mnist.edge.runtimes.loading import load_classifier
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from edge_mnist.export.adoption.source import behind_scaling, load_source
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.exporters import Exporter, list_exporters
from edge_mnist.export.formats.tflite_edits import pack, unpack
from edge_mnist.export.quantize.sweep import Quantizer
from tests.conftest import edge_mnist

Change = Callable[[keras.KerasTensor], keras.KerasTensor]
# Of the files that are shipped.
EXPORTERS = [exporter for exporter in list_exporters() if exporter.precision in {"float32", "int8"}]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped bundle, to be falsified."""
    return shutil.copytree(SHIPPED, tmp_path / "copy")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return load_source(SHIPPED / "model.keras", SHIPPED)


@pytest.fixture(scope="module")
def calibration(sample: Images) -> Images:
    """Ink as 255 and ink as 0: whoever makes a file that takes the other one calibrates on it."""
    chosen = choose_calibration(sample)
    twice = chosen.take(np.tile(np.arange(len(chosen)), 2))
    return dataclasses.replace(twice, pixels=np.concatenate([chosen.pixels, 255 - chosen.pixels]))


def _same(x: keras.KerasTensor) -> keras.KerasTensor:
    return x


def _move(x: keras.KerasTensor) -> keras.KerasTensor:
    """Everything two pixels to the right."""
    kernel = np.zeros((5, 5, 1, 1), np.float32)
    kernel[2, 0] = 1
    layer = keras.layers.Conv2D(1, 5, padding="same", use_bias=False)
    moved = layer(x)
    layer.set_weights([kernel])
    return moved


def _falsify(model: keras.Model, before: Change = _same, after: Change = _same) -> keras.Model:
    """The model with something done to its scaled pixels, or to its logits."""
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    unit = keras.layers.Rescaling(1 / 255, name=SCALING_LAYER)(pixels)
    return keras.Model(pixels, after(behind_scaling(model)(before(unit))))


def _convert(exporter: Exporter, model: keras.Model, calibration: Images) -> bytes:
    """A file as the exporter makes it, without a choice between ways."""
    if isinstance(exporter.convert, Quantizer):
        content = exporter.convert.convert(model, calibration, "minmax")
    else:
        content = exporter.convert(model)
    return exporter.tools.seal(content, {PRECISION_KEY: exporter.precision})


def _reseal(bundle: Path, exporter: Exporter, content: bytes) -> None:
    """Put another content in a file's place, and make hashes, types and seal fit it: all but the golden logits."""
    card = open_bundle(bundle).card
    assert card.export is not None
    files = []
    for file in card.export.files:
        if (file.format, file.precision) == (exporter.format, exporter.precision):
            (bundle / file.record.name).write_bytes(content)
            pixels, logits = exporter.tools.describe(content)
            record = describe_file(bundle, file.record.name)
            file = msgspec.structs.replace(file, record=record, input=pixels, output=logits)  # noqa: PLW2901
        files.append(file)
    export = msgspec.structs.replace(card.export, files=tuple(files))
    write_card(bundle, msgspec.structs.replace(card, export=export))


def _load(bundle: Path, exporter: Exporter) -> None:
    load_classifier(open_bundle(bundle), RUNTIMES[exporter.tools.runtime], exporter.precision)


def _ids(exporter: Exporter) -> str:
    return f"{exporter.format}-{exporter.precision}"


# Each format and each precision meets each change; the tests below take all four files.
CHANGED = [exporter for exporter in EXPORTERS if (exporter.format == "tflite") == (exporter.precision == "int8")]


@pytest.mark.parametrize("exporter", CHANGED, ids=_ids)
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ((keras.layers.Rescaling(-1, offset=1), _same), "inverted pixels"),
        ((keras.layers.Permute((2, 1, 3)), _same), "transposed images"),
        ((lambda x: x[:, :, ::-1], _same), "mirrored images"),
        ((lambda x: x[:, ::-1], _same), "images upside down"),
        ((_move, _same), "its logits differ from those in its card"),
        ((keras.layers.Rescaling(1 / 255), _same), "divided by 255 twice"),
        (
            (keras.layers.Rescaling(1 / 0.3081, offset=-0.1307 / 0.3081), _same),
            "its logits differ from those in its card",
        ),
        ((keras.layers.Rescaling(0.5), _same), "its logits differ from those in its card"),
        ((_same, keras.layers.Rescaling(2)), "times as large"),
        ((_same, keras.layers.Rescaling(1, offset=3)), r"shifted by \+[23]"),
        ((_same, lambda x: keras.ops.concatenate([x[:, 1:], x[:, :1]], axis=1)), "other weights"),
    ],
    ids=[
        "inverted",
        "transposed",
        "mirrored",
        "upside down",
        "moved",
        "scaled twice",
        "standardized",
        "half",
        "output scale",
        "zero point",
        "rolled labels",
    ],
)
def test_a_file_that_computes_something_else_is_refused_with_the_cause(
    copy: Path, model: keras.Model, calibration: Images, exporter: Exporter, changes: tuple[Change, Change], cause: str
) -> None:
    _reseal(copy, exporter, _convert(exporter, _falsify(model, *changes), calibration))

    with pytest.raises(ModelCardError, match=cause):
        _load(copy, exporter)


@pytest.mark.parametrize("exporter", EXPORTERS, ids=_ids)
def test_an_untouched_file_is_accepted(copy: Path, exporter: Exporter) -> None:
    _load(copy, exporter)


@pytest.mark.parametrize("exporter", EXPORTERS, ids=_ids)
def test_another_models_file_is_refused(copy: Path, exported: Bundle, exporter: Exporter) -> None:
    _reseal(copy, exporter, exported.read(exported.file(exporter.format, exporter.precision).record))

    with pytest.raises(ModelCardError, match="its logits differ from those in its card"):
        _load(copy, exporter)


def _with_weights_upside_down(exporter: Exporter, content: bytes) -> bytes:
    """The file with the order of its largest constant reversed."""
    if exporter.format == "tflite":
        model = unpack(content)
        largest = max(model.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
        largest.data = largest.data[::-1].copy()
        return pack(model)
    proto = onnx.load_from_string(content)
    constant = max(proto.graph.initializer, key=lambda one: numpy_helper.to_array(one).size)
    constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant)[::-1], constant.name))
    return proto.SerializeToString()


@pytest.mark.parametrize("exporter", EXPORTERS, ids=_ids)
def test_damaged_weights_are_refused(copy: Path, exporter: Exporter) -> None:
    bundle = open_bundle(copy)
    content = bundle.read(bundle.file(exporter.format, exporter.precision).record)
    _reseal(copy, exporter, _with_weights_upside_down(exporter, content))

    with pytest.raises(ModelCardError, match=r"its logits differ from those in its card"):
        _load(copy, exporter)


@pytest.mark.parametrize("exporter", EXPORTERS, ids=_ids)
def test_another_precisions_file_is_refused(copy: Path, exporter: Exporter) -> None:
    """As when somebody renames files and repairs the hashes, but not what the card says of types."""
    bundle = open_bundle(copy)
    mine = bundle.file(exporter.format, exporter.precision)
    other = bundle.file(exporter.format, "float32" if exporter.precision == "int8" else "int8")
    (copy / mine.record.name).write_bytes(bundle.read(other.record))
    files = tuple(msgspec.structs.replace(file, record=describe_file(copy, file.record.name)) for file in bundle.files)
    write_card(copy, msgspec.structs.replace(bundle.card, export=msgspec.structs.replace(bundle.export, files=files)))

    with pytest.raises(ModelCardError, match=r"the card says"):
        _load(copy, exporter)


@pytest.mark.parametrize(
    ("precision", "stand_in"),
    [("float32", "float16"), ("float16", "float32"), ("int8", "dynamic"), ("dynamic", "int8")],
)
@pytest.mark.parametrize("format_", ["tflite", "onnx"])
def test_a_file_that_stands_in_for_another_precision_is_refused(
    copy: Path, model: keras.Model, calibration: Images, format_: str, precision: str, stand_in: str
) -> None:
    """Also where types, shapes and almost all logits are the same: half precision differs by thousandths."""
    table = {(one.format, one.precision): one for one in list_exporters()}
    if not {(format_, precision), (format_, stand_in)} <= table.keys():
        pytest.skip(f"{format_} has no such files")
    mine, other = table[format_, precision], table[format_, stand_in]
    content = _convert(other, model, calibration)
    bundle = open_bundle(copy)
    file = msgspec.structs.replace(bundle.file(mine.format, "float32"), precision=mine.precision)
    pixels, logits = other.tools.describe(content)
    file = msgspec.structs.replace(file, input=pixels, output=logits)

    with pytest.raises(ModelCardError, match=r"the card says .*, but the file itself says"):
        load_file(RUNTIMES[mine.tools.runtime], content, file)


def _change_onnx(content: bytes, place: int, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """Let an operator read what another one quantized with another scale (place 1) or zero point (place 2)."""
    proto = onnx.load_from_string(content)
    constants = {constant.name: numpy_helper.to_array(constant) for constant in proto.graph.initializer}
    reader = next(node for node in proto.graph.node if node.op_type == "DequantizeLinear" and "Relu" in node.input[0])
    proto.graph.initializer.append(numpy_helper.from_array(change(constants[reader.input[place]]), "changed"))
    reader.input[place] = "changed"
    return proto.SerializeToString()


def _change_tflite(content: bytes, factor: float) -> bytes:
    """Multiply the scale of the first convolution's output. (Its zero point stands nowhere else, so none is wrong.)"""
    model = unpack(content)
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.operators[1].outputs[0]].quantization
    quantization.scale = np.asarray(quantization.scale) * np.float32(factor)
    return pack(model)


@pytest.mark.parametrize(
    ("format_", "falsify"),
    [
        ("onnx", lambda content: _change_onnx(content, 1, lambda scale: scale * 2)),
        ("onnx", lambda content: _change_onnx(content, 2, lambda zero: zero + zero.dtype.type(9))),
        ("tflite", lambda content: _change_tflite(content, 2)),
    ],
    ids=["onnx scale", "onnx zero point", "tflite scale"],
)
def test_a_wrong_number_inside_a_quantized_file_is_refused(
    copy: Path, format_: str, falsify: Callable[[bytes], bytes]
) -> None:
    """As after a slip in an editor of graphs."""
    (exporter,) = (one for one in EXPORTERS if (one.format, one.precision) == (format_, "int8"))
    content = (copy / exporter.file_name("standard")).read_bytes()
    _reseal(copy, exporter, falsify(content))

    with pytest.raises(ModelCardError, match="its logits differ from those in its card"):
        _load(copy, exporter)


def test_every_command_that_computes_refuses_the_file(copy: Path, model: keras.Model, calibration: Images) -> None:
    (exporter,) = (one for one in EXPORTERS if (one.format, one.precision) == ("tflite", "int8"))
    _reseal(copy, exporter, _convert(exporter, _falsify(model, keras.layers.Rescaling(-1, offset=1)), calibration))

    write_page(copy.parent / "page.png", ("1",), seed=1)

    read = edge_mnist("run", copy.parent / "page.png", "--model", copy)
    verified = edge_mnist("verify", copy, "--json")

    assert read.exit_code == verified.exit_code == 1
    assert "inverted pixels" in read.stderr
    outcomes = {(one["file"], one["runtime"]): one["outcome"] for one in json.loads(verified.stdout)}
    assert outcomes["standard-int8.tflite", "litert"] == "FAILED"
    assert outcomes["standard-float32.tflite", "litert"] == "passed"


def test_the_shipped_bundle_is_verified() -> None:
    result = edge_mnist("verify")

    assert result.exit_code == 0
    assert result.stdout.count("passed") == 4
    assert "not run  standard-int8.tflite on tflite-runtime: not installed" in result.stdout


def test_golden_images_survive_the_card() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8)

    assert np.array_equal(unpack_pixels(pack_pixels(pixels)), pixels)


@pytest.mark.parametrize("text", ["", "!", "AAAA", pack_pixels(np.zeros((1, 28, 28, 1), np.uint8))[:-8]])
def test_damaged_golden_images_are_one_sentence(text: str) -> None:
    with pytest.raises(ModelCardError, match="golden images cannot be read"):
        unpack_pixels(text)
