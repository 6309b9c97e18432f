"""Abstention: the measures are those one counts by hand, and every file is asked the same questions."""

import gzip
import re
import struct
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.statistics.selective import (
    Kept,
    measure_auroc,
    measure_calibration_error,
    risk_at,
    thin_out,
    trace_risk,
)
from edge_mnist.benchmarks.studies.networks.abstention import crop_to_ink, frame_all, run_abstention
from edge_mnist.benchmarks.studies.networks.abstention_page import format_page
from edge_mnist.benchmarks.studies.networks.abstention_report import format_abstention, write_abstention_reports
from edge_mnist.benchmarks.studies.networks.abstention_results import AbstentionResults
from edge_mnist.benchmarks.studies.networks.non_digits import NonDigits, read_non_digits
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.common.pages.markdown import escape_markdown
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.registry import RUNTIMES


@pytest.mark.parametrize(
    ("digits", "others", "auroc"),
    [
        ([3, 4], [1, 2], 1),
        ([1, 2], [3, 4], 0),
        ([1, 1], [1, 1], 0.5),
        ([2, 4], [1, 3], 0.75),
        ([2, 2, 5], [2, 0], 4 / 6 + 2 * 0.5 / 6),
    ],
    ids=["apart", "wrong way round", "all equal", "three of four pairs", "ties count half"],
)
def test_the_auroc_is_the_share_of_pairs_in_order(digits: list[float], others: list[float], auroc: float) -> None:
    assert measure_auroc(np.array(digits), np.array(others)) == pytest.approx(auroc)


def test_the_auroc_of_many_is_that_of_every_pair() -> None:
    random = np.random.default_rng(0)
    digits, others = random.integers(0, 30, 400) + 5, random.integers(0, 30, 300)

    pairs = (digits[:, None] > others).mean() + (digits[:, None] == others).mean() / 2

    assert measure_auroc(digits.astype(np.float32), others.astype(np.float32)) == pytest.approx(pairs, abs=1e-12)


@pytest.mark.parametrize(("digits", "others"), [([], [1.0]), ([1.0], [])])
def test_there_is_no_auroc_of_nothing(digits: list[float], others: list[float]) -> None:
    with pytest.raises(ValueError, match="expected scores of both"):
        measure_auroc(np.array(digits), np.array(others))


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        ([1.0, 1.0], [True, True], 0),
        ([1.0, 1.0], [True, False], 0.5),
        ([0.75, 0.75, 0.75, 0.75], [True, True, True, False], 0),
        # Bins of a fifth: 0.3 and 0.4 share one (mean 0.35, half right), 0.9 has one of its own, and is right.
        ([0.3, 0.4, 0.9], [True, False, True], (2 * 0.15 + 0.1) / 3),
        # 0.6 is the last of its bin, 0.7 the next one's: neither makes up for the other.
        ([0.6, 0.7], [True, False], (0.4 + 0.7) / 2),
    ],
    ids=["sure and right", "sure and half right", "calibrated", "two bins", "on an edge"],
)
def test_the_calibration_error_is_that_counted_by_hand(
    confidence: list[float], right: list[bool], error: float
) -> None:
    assert measure_calibration_error(np.array(confidence), np.array(right), bins=5) == pytest.approx(error)


@pytest.mark.parametrize("confidence", [[], [0.0, 0.5], [0.5, 1.1], [float("nan")]])
def test_what_is_no_probability_has_no_calibration(confidence: list[float]) -> None:
    with pytest.raises(ValueError, match="expected confidences in"):
        measure_calibration_error(np.array(confidence), np.ones(len(confidence), np.bool_))


def test_the_risk_falls_as_the_least_sure_are_let_go() -> None:
    confidence, right = np.array([0.8, 0.6, 0.9, 0.8, 0.7]), np.array([False, False, True, True, True])

    curve = trace_risk(confidence, right)

    assert [(point.confidence, point.coverage) for point in curve] == [(0.6, 1), (0.7, 0.8), (0.8, 0.6), (0.9, 0.2)]
    assert [point.risk for point in curve] == pytest.approx([2 / 5, 1 / 4, 1 / 3, 0])


def test_the_risk_at_a_coverage_is_of_no_fewer_digits() -> None:
    curve = trace_risk(np.array([0.8, 0.6, 0.9, 0.8, 0.7]), np.array([False, False, True, True, True]))

    assert [risk_at(curve, coverage).coverage for coverage in (1, 0.9, 0.8, 0.5, 0.2)] == [1, 1, 0.8, 0.6, 0.2]


def test_a_thinner_curve_keeps_its_ends() -> None:
    curve = tuple(Kept(confidence=i / 100, coverage=1 - i / 100, risk=0.0) for i in range(100))

    thin = thin_out(curve, 0.095)

    assert (thin[0], thin[-1]) == (curve[0], curve[-1])
    assert len(thin) == 11
    assert thin_out(curve[:1], 0.5) == curve[:1]


def _write_idx(path: Path, images: np.ndarray, magic: int = 0x803) -> Path:
    content = struct.pack(">4I", magic, *images.shape) + images.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


IMAGES = np.random.default_rng(1).integers(0, 256, (7, 28, 28), np.uint8)


@pytest.mark.parametrize("name", ["some-images-idx3-ubyte.gz", "some-images-idx3-ubyte"])
@pytest.mark.parametrize("whole_folder", [False, True], ids=["file", "folder"])
def test_other_images_are_read_from_idx_files(tmp_path: Path, name: str, whole_folder: bool) -> None:
    path = _write_idx(tmp_path / name, IMAGES)
    (tmp_path / "labels").write_bytes(b"ignored")

    others = read_non_digits(tmp_path if whole_folder else path)

    assert others.name == (tmp_path.name if whole_folder else name)
    assert (others.pixels[..., 0] == IMAGES).all()


def test_other_images_are_read_from_a_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    Image.fromarray(IMAGES[0]).save(tmp_path / "A" / "first.png")
    Image.fromarray(np.full((90, 40), 200, np.uint8)).save(tmp_path / "second images.png")
    (tmp_path / "notes.txt").write_text("no picture")

    others = read_non_digits(tmp_path)

    assert others.pixels.shape == (2, 28, 28, 1)
    assert (others.pixels[0, ..., 0] == IMAGES[0]).all()
    assert (others.pixels[1] == 200).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "got 0 bytes"),
        (struct.pack(">4I", 0x801, 1, 28, 28) + bytes(784), "another header"),
        (struct.pack(">4I", 0x803, 1, 32, 32) + bytes(1024), "another header"),
        (struct.pack(">4I", 0x803, 2, 28, 28) + bytes(784), "does not match its length"),
        (struct.pack(">4I", 0x803, 0, 28, 28), "is not 1 to"),
        (struct.pack(">4I", 0x803, 2**32 - 1, 28, 28), "does not match its length"),
        (gzip.compress(struct.pack(">4I", 0x803, 1, 28, 28) + bytes(784))[:-9], "damaged gzip"),
        (b"\x1f\x8b nothing", "cannot be read"),
    ],
    ids=["missing", "empty", "labels", "32x32", "cut off", "none", "too many", "gzip cut off", "no gzip"],
)
def test_what_is_no_idx_file_of_images_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "images"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BenchmarkError, match=reason):
        read_non_digits(path)


def test_a_folder_with_nothing_or_with_two_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="pictures, got 0"):
        read_non_digits(tmp_path)
    for name in ("train-images", "test-images"):
        _write_idx(tmp_path / name, IMAGES)
    with pytest.raises(BenchmarkError, match="got test-images, train-images"):
        read_non_digits(tmp_path)


def test_ink_is_cropped_where_framing_sees_some() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:9, 10:22] = 200
    image[20, 20] = 30

    assert crop_to_ink(image).shape == (5, 12)
    assert not frame_all(np.zeros((2, 28, 28, 1), np.uint8)).any()


@pytest.fixture(scope="module")
def results(sample: mnist.Images) -> AbstentionResults:
    digits = sample.take(mnist.first_per_class(sample.labels, 20), "two hundred digits")
    # Squares, crosses and rings are no digits, and noise is none either.
    shapes = np.zeros((60, 28, 28, 1), np.uint8)
    random = np.random.default_rng(0)
    shapes[:20] = random.integers(0, 256, (20, 28, 28, 1))
    for i, image in enumerate(shapes[20:]):
        cv2.rectangle(image, (3 + i % 5, 3), (20 + i % 7, 24), 255, 1 + i % 4)
        cv2.line(image, (2, 2), (25, 25), 255, 2)
    held_out = mnist.HeldOut(sample, sample, (digits,), certain=True)
    return run_abstention(open_bundle(SHIPPED), held_out, NonDigits("shapes", shapes))


def test_every_file_is_asked_on_every_runtime(results: AbstentionResults) -> None:
    assert {(row.precision, row.runtime) for row in results.rows} == {
        (precision, runtime)
        for precision in ("float32", "int8")
        for runtime in ("litert", "tflite-runtime", "onnxruntime")
    }
    for row in results.rows:
        assert (row.figures is None) == (row.unavailable is not None)
        if row.figures:
            assert (row.figures.plain.auroc_vs_float is None) == (row.precision == "float32")


def test_the_shipped_files_know_digits_from_shapes(results: AbstentionResults) -> None:
    for figures in filter(None, (row.figures for row in results.rows)):
        # Loose, for the images are few and drawn at random: guessing would give 0.5 and 5 % of the digits.
        assert figures.plain.auroc > 0.9
        assert figures.plain.accepted > 0.95 * 200
        assert figures.plain.refused > 0.5 * 60
        assert figures.plain.accepted_right <= min(figures.plain.accepted, figures.plain.right)
        assert figures.calibration_error < 0.1


def test_counts_and_curves_are_of_all_images(results: AbstentionResults) -> None:
    for figures in filter(None, (row.figures for row in results.rows)):
        for histogram in (figures.histogram, figures.framed_histogram):
            assert (sum(histogram.digits), sum(histogram.others)) == (200, 60)
        assert figures.risk[0].coverage == figures.risk_by_score[0].coverage == 1
        assert figures.risk[0].risk == pytest.approx(1 - figures.plain.right / 200)


def test_figures_on_images_that_choices_were_made_on_say_so(results: AbstentionResults) -> None:
    assert results.chosen_on_them
    assert "among the images on which threshold and temperature were chosen" in format_abstention(results)
    fresh = msgspec.structs.replace(results, chosen_on_them=False)
    assert "were chosen" not in format_abstention(fresh)


def test_reports_say_the_same_and_take_nothing_from_elsewhere(results: AbstentionResults, tmp_path: Path) -> None:
    json_path, markdown_path, page_path = write_abstention_reports(results, tmp_path)

    assert msgspec.json.decode(json_path.read_bytes(), type=AbstentionResults) == results
    assert markdown_path.read_text() == format_abstention(results)
    assert "two hundred digits" in markdown_path.read_text()
    assert f"not installed: {escape_markdown(RUNTIMES['tflite-runtime'].install_hint)}" in markdown_path.read_text()
    page = page_path.read_text()
    assert page.count("<svg") == 1 + 3 * 4
    assert page.count('class="threshold"') == 1 + 2 * 4
    assert not re.search(r"https?:|src=|<script|url\(", page)
    assert "prefers-color-scheme: dark" in page


def test_names_are_text_on_the_page(results: AbstentionResults) -> None:
    page = format_page(msgspec.structs.replace(results, name="<b>"), ["**Digits**: a < b"])

    assert "<b>" not in page
    assert "<strong>Digits</strong>: a &lt; b" in page
