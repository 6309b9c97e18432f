"""What cannot be trusted is not installed: verification counts, and the gate refuses."""

import re
import shutil
from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from edge_mnist.edge.bundle.export_record import Abstention
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.registry import RUNTIMES
from edge_mnist.export.errors import ExportError
from edge_mnist.export.formats import tflite
from edge_mnist.export.verify import FileOutputs, KerasReference, check_drop, verify_file
from tests.conftest import ONE_CALIBRATION, edge_mnist, python_process


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_wrong_conversion_is_not_exported(exported: Bundle, sample: mnist.Images) -> None:
    file, right = exported.file("tflite", "float32"), np.eye(5, 10, dtype=np.float32)
    reference = KerasReference(sample.take(np.arange(5)), right)
    outcome = FileOutputs(file, RUNTIMES["litert"], 2 * right, right)

    with pytest.raises(ExportError, match=r"differ from the Keras model's by 1 .* Nothing was written"):
        verify_file(outcome, reference, reference.right, exported.export.abstention)


def test_verification_counts_what_was_lost_and_gained(exported: Bundle, sample: mnist.Images) -> None:
    images = sample.take(np.array([0, 500, 1000, 1500]))  # 0, 1, 2, 3
    said = np.eye(10, dtype=np.float32)[[0, 1, 9, 3]]
    float_right = np.array([True, False, True, True])

    result = verify_file(
        FileOutputs(exported.file("tflite", "int8"), RUNTIMES["litert"], said, said),
        KerasReference(images, said),
        float_right,
        Abstention(threshold=1.5, temperature=1, validation=images.describe(), accepted=4),
    )

    assert (result.correct, result.lost, result.gained, result.agreeing) == (3, 1, 1, 4)
    # log(9 + e) is 2.46 for all of them.
    assert result.accepted == 4


@pytest.mark.parametrize(
    ("lost", "gained", "most", "sentence"),
    [
        (10, 0, 0.1, None),
        (
            11,
            0,
            0.1,
            r"drops 0\.11 points \(11 of 10,000 images lost, 0 gained, p = 0\.00098\), --max-drop allows 0\.1",
        ),
        (14, 3, 0.1, r"drops 0\.11 points"),
        (3, 2, 0.0, r"Chance alone can explain this"),
        (0, 5, 0.0, None),
    ],
    ids=["just enough", "too much", "difference counts", "by chance", "better"],
)
def test_the_gate(exported: Bundle, lost: int, gained: int, most: float, sentence: str | None) -> None:
    file = exported.file("tflite", "int8")
    file = msgspec.structs.replace(
        file, verification=msgspec.structs.replace(file.verification, lost=lost, gained=gained)
    )

    said = check_drop(file, 10_000, most)

    if sentence is None:
        assert said is None
    else:
        assert said is not None
        assert re.search(sentence, said)
        assert "Its noisiest layer is" in said
        assert "Try --float16" in said


def test_a_file_that_drops_too_much_is_not_installed(
    exported: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = shutil.copytree(exported.path, tmp_path / "bundle")
    before = _contents(bundle)
    convert = tflite.convert_int8

    def spoil(model: keras.Model, calibration: mnist.Images) -> bytes:
        """A quantization that gets the first layer's weights wrong."""
        broken = keras.models.clone_model(model)
        broken.set_weights([weights[::-1] if i == 0 else weights for i, weights in enumerate(model.get_weights())])
        return convert(broken, calibration)

    monkeypatch.setattr(tflite, "convert_int8", spoil)

    result = edge_mnist("export", bundle, "--int8", *ONE_CALIBRATION)

    assert result.exit_code == 1
    assert "standard-int8.tflite drops" in result.stderr
    assert "Nothing was installed" in result.stderr
    assert _contents(bundle) == before
    assert "Refused:" in (tmp_path / "bundle-refused.html").read_text()


def test_an_export_keeps_what_lies_in_the_folder_and_makes_again_what_the_bundle_had(
    exported: Bundle, tmp_path: Path
) -> None:
    bundle = shutil.copytree(exported.path, tmp_path / "bundle")
    (bundle / "notes.txt").write_text("precious")
    (bundle / "photos").mkdir()
    (bundle / "photos" / "holiday.jpg").write_text("precious, too")
    (tmp_path / "link").symlink_to("bundle")
    users = {"notes.txt", "photos"}

    asked = ("--format", "tflite", "--max-drop", 2, *ONE_CALIBRATION)
    result = edge_mnist("export", exported.path, *asked, "--out", tmp_path / "link")

    assert result.exit_code == 0, result.output
    named = {record.name for record in open_bundle(bundle).card.records()}
    assert {path.name for path in bundle.iterdir()} == {"card.json"} | named | users
    assert {record.name for record in exported.card.records()} <= named
    assert (bundle / "notes.txt").read_text() == "precious"
    assert (bundle / "photos" / "holiday.jpg").read_text() == "precious, too"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["small-float16.tflite", "small_int8.c"])
def test_an_export_over_a_file_of_the_users_is_refused_before_the_work(
    exported: Bundle, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = shutil.copytree(exported.path, tmp_path / "bundle")
    name = name.replace("small", exported.card.name)
    (bundle / name).write_text("precious")
    monkeypatch.setattr("edge_mnist.export.preparation.load_source", lambda *_: pytest.fail("the work began"))

    result = edge_mnist("export", bundle, "--all", "--c-array")

    assert result.exit_code == 1
    assert f"{name}: is not part of the bundle there" in result.stderr
    assert (bundle / name).read_text() == "precious"


def test_a_full_disk_leaves_the_old_bundle(tmp_path: Path) -> None:
    bundle = shutil.copytree(SHIPPED, tmp_path / "bundle")
    before = _contents(bundle)
    # The system refuses to let any file grow beyond 100 kB, as a full disk refuses to take more.
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from edge_mnist.cli import main; main()\n"
    )

    process = python_process(code, "export", bundle, "--int8")

    assert process.returncode == 1
    assert "cannot be written (File too large); nothing in it changed" in process.stderr
    assert "Traceback" not in process.stderr
    assert _contents(bundle) == before
    assert list(tmp_path.iterdir()) == [bundle]
