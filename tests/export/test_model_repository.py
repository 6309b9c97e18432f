"""The layout that Triton reads, by the definition of its configuration that Triton's client brings."""

from pathlib import Path

import numpy as np
import pytest

from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.runtimes.golden import unpack_pixels
from edge_mnist.edge.runtimes.prediction import Classifier
from edge_mnist.export.errors import ExportError
from edge_mnist.export.formats.model_repository import write_model_repository
from tests.conftest import edge_mnist


def test_each_onnx_file_is_a_model_that_computes_the_same(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    bundle = open_bundle(SHIPPED)

    names = write_model_repository(bundle, tmp_path / "models")

    assert sorted(names) == ["standard-float32", "standard-int8"]
    images = unpack_pixels(bundle.export.golden_pixels)
    for name in names:
        session = onnxruntime.InferenceSession(tmp_path / "models" / name / "1" / "model.onnx")
        (logits,) = session.run(["logits"], {"pixels": images})
        expected = Classifier(SHIPPED, "onnxruntime", name.rpartition("-")[2]).logits(images)  # pyright: ignore[reportArgumentType]
        assert np.array_equal(logits, expected)


def test_the_configuration_is_one_of_triton(tmp_path: Path) -> None:
    text_format = pytest.importorskip("google.protobuf.text_format")
    model_config = pytest.importorskip("tritonclient.grpc.model_config_pb2", exc_type=ImportError)

    write_model_repository(open_bundle(SHIPPED), tmp_path)

    config = text_format.Parse((tmp_path / "standard-int8" / "config.pbtxt").read_text(), model_config.ModelConfig())
    assert (config.name, config.platform, config.max_batch_size) == ("standard-int8", "onnxruntime_onnx", 256)
    assert [(one.name, one.data_type, list(one.dims)) for one in config.input] == [
        ("pixels", model_config.TYPE_UINT8, [28, 28, 1])
    ]
    assert [(one.name, one.data_type, list(one.dims)) for one in config.output] == [
        ("logits", model_config.TYPE_FP32, [10])
    ]
    assert config.dynamic_batching.max_queue_delay_microseconds == 500


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(ExportError, match="cannot be written"):
        write_model_repository(open_bundle(SHIPPED), tmp_path / "taken" / "models")


def test_help_names_the_option() -> None:
    assert "--model-repository DIR" in edge_mnist("export", "--help").stdout


def test_a_model_of_the_users_own_is_not_replaced(tmp_path: Path) -> None:
    own = tmp_path / "standard-int8"
    own.mkdir()
    (own / "config.pbtxt").write_text("mine")

    with pytest.raises(ExportError, match="is not of an earlier export"):
        write_model_repository(open_bundle(SHIPPED), tmp_path)

    assert [path.name for path in tmp_path.rglob("*")] == ["standard-int8", "config.pbtxt"]
    assert (own / "config.pbtxt").read_text() == "mine"


def test_a_model_of_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    names = write_model_repository(open_bundle(SHIPPED), tmp_path)
    (tmp_path / names[0] / "1" / "model.onnx").write_bytes(b"older")

    assert write_model_repository(open_bundle(SHIPPED), tmp_path) == names
    assert (tmp_path / names[0] / "1" / "model.onnx").stat().st_size > 1000
