"""TFLite metadata: properties come back, viewers find a name, and nothing else about the file changes."""

import json
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data.images import Images
from edge_mnist.edge.inspection.inspect import inspect_file
from edge_mnist.export.adoption.source import load_source
from edge_mnist.export.calibration import choose_calibration
from edge_mnist.export.errors import ExportError
from edge_mnist.export.formats import tflite
from edge_mnist.export.formats.tflite_edits import pack, unpack
from edge_mnist.export.formats.tflite_metadata import encode_standard, seal, write_metadata

PROPERTIES = {
    "edge_mnist.precision": "int8",
    "edge_mnist.input": "raw pixels, 0 = paper, 255 = ink",
    "edge_mnist.digits": "zéro, 一",
    "edge_mnist.golden": "0123456789abcdef" * 100,
}
# Names, a vtable or two, and up to 15 bytes of padding for each of 17 buffers.
MOST_OVERHEAD_BYTES = 1024
# Of QuantizationParameters: the fourth field, after the table's two numbers of its own.
ZERO_POINT_SLOT = 10


@pytest.fixture(scope="module", params=["int8", "float32"])
def content(request: pytest.FixtureRequest, sample: Images) -> bytes:
    """The shipped model as TensorFlow's converter leaves it."""
    model = load_source(SHIPPED / "model.keras", SHIPPED)
    if request.param == "float32":
        return tflite.convert_float32(model)
    return tflite.convert_int8(model, choose_calibration(sample).take(np.arange(20)))


@pytest.fixture(scope="module")
def written(content: bytes) -> bytes:
    return write_metadata(content, PROPERTIES)


def _entries(content: bytes) -> list[tuple[str, bytes]]:
    model = unpack(content)
    return [(entry.name.decode(), bytes(model.buffers[entry.buffer].data)) for entry in model.metadata]


def _entry(content: bytes, name: str) -> bytes:
    (data,) = [data for entry, data in _entries(content) if entry == name]
    return data


def _plain(value: Any) -> Any:
    """A packed object's fields as lists and dictionaries, to compare."""
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.tolist()]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in vars(value).items()} if hasattr(value, "__dict__") else value


def _outputs(content: bytes, images: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    outputs = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(outputs)


def _standard_strings(data: bytes) -> dict[int, str]:
    """Field number -> string of a ModelMetadata table, read by the rules of flatbuffers alone."""
    root = int.from_bytes(data[:4], "little")
    vtable = root - int.from_bytes(data[root : root + 4], "little", signed=True)
    found = {}
    for i in range((int.from_bytes(data[vtable : vtable + 2], "little") - 4) // 2):
        offset = int.from_bytes(data[vtable + 4 + 2 * i :][:2], "little")
        if offset:
            start = root + offset + int.from_bytes(data[root + offset :][:4], "little")
            length = int.from_bytes(data[start : start + 4], "little")
            found[i] = data[start + 4 : start + 4 + length].decode()
    return found


def test_properties_come_back_as_they_were_written(written: bytes) -> None:
    assert json.loads(_entry(written, "edge_mnist")) == PROPERTIES
    assert inspect_file(written, "written").model.properties == PROPERTIES


def test_properties_are_canonical_json(written: bytes) -> None:
    shuffled = dict(reversed(PROPERTIES.items()))
    canonical = json.dumps(PROPERTIES, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    assert _entry(written, "edge_mnist") == canonical
    assert write_metadata(written, shuffled) == written


def test_viewers_find_a_name_and_a_description(written: bytes) -> None:
    standard = _entry(written, "TFLITE_METADATA")

    assert standard[4:8] == b"M001"
    assert _standard_strings(standard) == {
        0: "edge-mnist",
        1: "digits: zéro, 一; input: raw pixels, 0 = paper, 255 = ink; precision: int8",
        7: "1.0.0",
    }


def test_the_model_names_itself_where_it_can(content: bytes) -> None:
    own = {"name": "a", "description": "b", "version": "c", "author": "d", "license": "e"}

    standard = _entry(write_metadata(content, {f"edge_mnist.{k}": v for k, v in own.items()}), "TFLITE_METADATA")

    assert _standard_strings(standard) == {0: "a", 1: "b", 2: "c", 4: "d", 5: "e", 7: "1.0.0"}


def test_standard_metadata_have_their_exact_bytes() -> None:
    # Root offset, identifier, padding, vtable (its size, the table's, the name's place), table, length and text.
    assert encode_standard({"name": "ab"}).hex(" ", 4) == (
        "10000000 4d303031 00000600 08000400 06000000 04000000 02000000 61620000"
    )


def test_what_the_converter_wrote_is_kept(content: bytes, written: bytes) -> None:
    before = unpack(content)
    after = unpack(written)

    assert [name for name, _ in _entries(written)] == [
        "min_runtime_version",
        "CONVERSION_METADATA",
        "edge_mnist",
        "TFLITE_METADATA",
    ]
    del after.metadata[len(before.metadata) :], after.buffers[len(before.buffers) :]
    assert _plain(after) == _plain(before)


def test_writing_twice_replaces(written: bytes) -> None:
    again = write_metadata(written, {"edge_mnist.precision": "another"})

    assert json.loads(_entry(again, "edge_mnist")) == {"edge_mnist.precision": "another"}
    assert write_metadata(again, PROPERTIES) == written


def test_the_same_properties_give_the_same_bytes(content: bytes, written: bytes) -> None:
    assert write_metadata(content, PROPERTIES) == written


def test_the_identifier_is_kept(written: bytes) -> None:
    assert written[4:8] == b"TFL3"


def test_every_buffer_begins_on_a_multiple_of_16(content: bytes, written: bytes) -> None:
    def places(content: bytes) -> list[int]:
        model = schema.Model.GetRootAs(content)
        buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
        return [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]

    assert any(place % 16 for place in places(content))  # what TensorFlow's converter does, so the test can fail
    assert len(places(written)) == len(places(content)) + 2
    assert [place for place in places(written) if place % 16] == []


def test_the_file_grows_by_little_more_than_the_metadata(content: bytes, written: bytes) -> None:
    payload = len(_entry(written, "edge_mnist")) + len(_entry(written, "TFLITE_METADATA"))

    # Beside the converter's file as it is packed here, for the vectors that it wrote again and again are shared.
    assert 0 < len(written) - len(pack(unpack(content))) - payload < MOST_OVERHEAD_BYTES


def test_equal_zero_points_are_written_once(content: bytes, written: bytes) -> None:
    def places(file: bytes) -> tuple[set[int], set[bytes]]:
        graph: Any = schema.Model.GetRootAs(file).Subgraphs(0)
        found, values = set[int](), set[bytes]()
        for index in range(graph.TensorsLength()):
            quantization = graph.Tensors(index).Quantization()
            if quantization is not None and quantization.ZeroPointLength():
                field = quantization._tab.Offset(ZERO_POINT_SLOT)
                found.add(quantization._tab.Vector(field))
                values.add(quantization.ZeroPointAsNumpy().tobytes())
        return found, values

    is_quantized = bool(places(content)[0])
    assert (len(places(content)[0]) > len(places(content)[1])) == is_quantized  # so the test can fail
    assert len(places(written)[0]) == len(places(written)[1])


def test_outputs_are_the_same_bit_for_bit(content: bytes, written: bytes) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), np.uint8)

    assert np.array_equal(_outputs(written, images), _outputs(content, images))


def test_what_is_not_tflite_is_refused() -> None:
    with pytest.raises(ExportError, match="expected a file with b'TFL3'"):
        write_metadata((SHIPPED / "standard-int8.onnx").read_bytes(), PROPERTIES)


def test_weights_behind_the_flatbuffer_are_refused(content: bytes) -> None:
    model = unpack(content)
    model.buffers[2].offset = 4096

    with pytest.raises(ExportError, match="after the flatbuffer"):
        write_metadata(pack(model), PROPERTIES)


def test_sealed_files_have_short_names_of_their_own_and_compute_the_same(content: bytes) -> None:
    sealed = seal(content, PROPERTIES)

    before, after = (_names(one) for one in (write_metadata(content, PROPERTIES), sealed))
    assert len(set(after)) == len(after) == len(before)
    assert (after[0], after[-1]) == ("pixels", "logits")
    assert all(short.partition(".")[0] in name for short, name in list(zip(after, before, strict=True))[1:-1])
    assert sum(map(len, after)) < sum(map(len, before)) / 2
    assert len(sealed) < len(write_metadata(content, PROPERTIES))
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), np.uint8)
    assert np.array_equal(_outputs(sealed, images), _outputs(content, images))
    assert seal(sealed, PROPERTIES) == sealed


def test_sealed_files_keep_their_weights_and_nothing_that_no_runtime_reads(content: bytes) -> None:
    before, after = (unpack(one) for one in (content, seal(content, PROPERTIES)))

    weights = [[model.buffers[t.buffer].data for t in model.subgraphs[0].tensors] for model in (before, after)]
    # Of a tensor without weights the converter's buffer has no bytes, ours is the first.
    assert [w is None or w.tobytes() for w in weights[0]] == [w is None or w.tobytes() for w in weights[1]]
    assert [place for place, buffer in enumerate(after.buffers) if buffer.data is None] == [0]
    assert [entry.name for entry in after.metadata] == [b"min_runtime_version", b"edge_mnist", b"TFLITE_METADATA"]


def _names(content: bytes) -> list[str]:
    model = unpack(content)
    return [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
