"""Corrupted digits: each corruption does what it says, more so at each severity; counts, tests and reports hold."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_mnist.benchmarks.errors import BenchmarkError
from edge_mnist.benchmarks.studies.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from edge_mnist.benchmarks.studies.robustness.plasma import draw_plasma
from edge_mnist.benchmarks.studies.robustness.report import (
    describe_command,
    describe_robustness_conditions,
    format_robustness,
    summarize_robustness,
    write_robustness_reports,
)
from edge_mnist.benchmarks.studies.robustness.results import Robustness, RobustnessSettings
from edge_mnist.benchmarks.studies.robustness.robustness import (
    choose_images,
    draw_contact_sheet,
    measure_distance,
    run_robustness,
)
from edge_mnist.benchmarks.studies.robustness.scores import Outcomes, compare_files
from edge_mnist.edge.bundle.folder import open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.runtimes.registry import choose_runtime
from tests.conftest import edge_mnist

COUNT = 40
CELLS = 1 + len(CORRUPTIONS) * len(SEVERITIES)


@pytest.fixture(scope="module")
def digits(sample: mnist.Images) -> mnist.Images:
    return choose_images(sample, 200)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_keeps_shape_and_type_and_grows_with_severity(digits: mnist.Images, name: str) -> None:
    before = digits.pixels.copy()

    made = [corrupt(digits.pixels, name, severity, 1) for severity in SEVERITIES]

    assert all(one.shape == (200, 28, 28, 1) and one.dtype == np.uint8 for one in made)
    distances = [measure_distance(digits.pixels, one) for one in made]
    assert distances[0] > 1
    assert (np.diff(distances) > 0).all(), distances
    assert (digits.pixels == before).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_images(digits: mnist.Images, name: str) -> None:
    first, again, other = (corrupt(digits.pixels[:20], name, 3, seed) for seed in (1, 1, 2))

    assert (first == again).all()
    nothing_random = name in {"scale", "brightness", "stripe", "canny edges"}
    assert (first == other).all() == nothing_random


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_no_images_and_one_image_are_corrupted_too(digits: mnist.Images, name: str) -> None:
    assert corrupt(digits.pixels[:0], name, 1, 1).shape == (0, 28, 28, 1)
    assert corrupt(digits.pixels[:1], name, 5, 1).shape == (1, 28, 28, 1)


@pytest.mark.parametrize(
    "name", [name for name in CORRUPTIONS if name not in {"brightness", "fog", "stripe", "canny edges"}]
)
def test_an_image_without_ink_meets_no_warning(name: str) -> None:
    empty = np.zeros((2, 28, 28, 1), np.uint8)

    drawn_over = name in {"impulse noise", "spatter", "dotted line", "zigzag"}
    assert bool(corrupt(empty, name, 5, 1).any()) == drawn_over


@pytest.mark.parametrize("severity", [0, 6, -1])
def test_a_severity_out_of_range_is_refused(digits: mnist.Images, severity: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 5, got {severity}"):
        corrupt(digits.pixels, "fog", severity, 1)


def test_an_unknown_corruption_and_other_images_are_refused(digits: mnist.Images) -> None:
    with pytest.raises(ValueError, match="got 'snow'"):
        corrupt(digits.pixels, "snow", 1, 1)
    with pytest.raises(ValueError, match=r"got float32 \[200, 28, 28, 1\]"):
        corrupt(digits.pixels.astype(np.float32), "fog", 1, 1)
    with pytest.raises(ValueError, match=r"got uint8 \[200, 28, 28\]"):
        corrupt(digits.pixels[..., 0], "fog", 1, 1)


def test_noise_and_light_are_as_much_as_the_table_says() -> None:
    gray = np.full((100, 28, 28, 1), 100, np.uint8)

    noisy = corrupt(gray, "impulse noise", 5, 1)
    shot = corrupt(gray, "shot noise", 5, 1)

    # 0.27 of 78,400 pixels turn, half of them each way: the deviation is 0.0016.
    assert np.mean(noisy != 100) == pytest.approx(0.27, abs=0.01)
    assert np.mean(noisy == 255) == pytest.approx(0.135, abs=0.01)
    # Photons are counted in steps of a third of full ink, and have the mean of the light.
    assert set(np.unique(shot)) <= {0, 85, 170, 255}
    assert np.mean(shot == 0) == pytest.approx(np.exp(-3 * 100 / 255), abs=0.01)
    assert (corrupt(gray, "brightness", 2, 1) == 151).all()


def test_digits_move_turn_and_shrink_by_what_the_table_says() -> None:
    images = np.zeros((60, 28, 28, 1), np.uint8)
    images[:, 13:15, 8:20] = 255

    moved = corrupt(images, "translate", 4, 1)
    shrunk = corrupt(images, "scale", 5, 1)
    turned = corrupt(images, "rotate", 5, 1)

    corners = {tuple(np.argwhere(image[..., 0]).min(axis=0)) for image in moved}
    assert corners == {(9, 4), (9, 12), (17, 4), (17, 12)}
    assert shrunk.sum() == pytest.approx(images.sum() / 4, rel=0.05)
    # One radian to either side, as well as pixels tell it.
    angles = [_angle(image[..., 0]) for image in turned]
    assert np.abs(angles) == pytest.approx(np.ones(60), abs=0.06)
    assert {bool(angle > 0) for angle in angles} == {True, False}


def _angle(image: np.ndarray) -> float:
    """Of the longest axis of its ink."""
    y, x = np.argwhere(image > 100).T
    variances, axes = np.linalg.eigh(np.cov(x, y))
    across, down = axes[:, variances.argmax()]
    return float(np.arctan(down / across))


def test_stripes_lines_and_edges_are_those_of_the_original() -> None:
    paper = np.zeros((50, 28, 28, 1), np.uint8)
    square = paper.copy()
    square[:, 8:20, 8:20] = 255

    striped = corrupt(paper, "stripe", 5, 1)[0, :, :, 0]
    lines = corrupt(paper, "dotted line", 5, 1)[..., 0]
    zigzags = corrupt(paper, "zigzag", 5, 1)[..., 0]
    edges = corrupt(square, "canny edges", 5, 1)[0, :, :, 0]

    assert (striped[:, [*range(7), *range(21, 28)]] == 255).all()
    assert not striped[:, 7:21].any()
    for line in lines:
        assert not line[:, [column for column in range(28) if column // 2 % 2 == 0]].any()
        assert line[:, [column for column in range(27) if column // 2 % 2]].max(axis=0).min() > 150
    assert not zigzags[:, :, :1].any()
    # Those that begin near the top or the bottom partly lie beyond it.
    assert np.median([zigzag[:, 4:24].any(axis=0).sum() for zigzag in zigzags]) == 20
    # A frame, a pixel wide, with nothing in it.
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[10:18, 10:18].any()
    assert 36 <= (edges > 0).sum() <= 52


def test_clouds_are_rough_go_on_at_their_edges_and_span_all_heights() -> None:
    smooth, rough = (draw_plasma(decay, np.random.default_rng(3)) for decay in (2, 1.4))

    for clouds in (smooth, rough):
        assert (clouds.min(), clouds.max()) == (0, 1)
        inside, around = (np.abs(np.diff(clouds, axis=0)).mean(), np.abs(clouds[0] - clouds[-1]).mean())
        assert around < 4 * inside
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()


def test_as_many_of_each_digit_are_chosen_from_the_whole_set(sample: mnist.Images) -> None:
    chosen = choose_images(sample, 100)

    assert (np.bincount(chosen.labels) == 10).all()
    assert "10 of each digit" in chosen.name
    places = chosen.indices[chosen.labels == 3]
    assert np.ptp(places) > 400
    assert choose_images(sample, None) is sample
    for count in (0, 15, 5010):
        with pytest.raises(BenchmarkError, match=f"at most 5000, got {count}.*--all"):
            choose_images(sample, count)


def _outcomes(right: np.ndarray, accepted: np.ndarray | None = None) -> Outcomes:
    return Outcomes(right=right, accepted=np.ones_like(right) if accepted is None else accepted)


def test_counts_are_those_made_by_hand() -> None:
    float_right, int8_right = np.ones((CELLS, 100), np.bool_), np.ones((CELLS, 100), np.bool_)
    # Of shot noise, at all severities: ten images that int8 misreads. At severity 2 alone: two that float misreads.
    int8_right[1:6, :10] = False
    float_right[2, 20:22] = False
    taken = np.ones((CELLS, 100), np.bool_)
    taken[1:6, :4] = taken[1:6, 50:53] = False

    compared = compare_files(choose_runtime(None), _outcomes(float_right), _outcomes(int8_right, taken), seed=1)

    row = compared.rows[0]
    assert (row.corruption, row.better_float32, row.better_int8) == ("shot noise", 10, 2)
    # Twelve coins, ten of them heads, or more, or as few: 2 * (1 + 12 + 66) / 4096.
    assert row.p == pytest.approx(158 / 4096)
    assert row.p_holm == pytest.approx(15 * 158 / 4096)
    assert row.drop_pp == pytest.approx(10 - 100 * 2 / 500)
    assert row.drop_interval_pp[0] < row.drop_pp < row.drop_interval_pp[1]
    second = row.cells[1]
    assert (second.only_float32, second.only_int8) == (10, 2)
    assert (second.int8.correct, second.int8.refused, second.int8.silent) == (90, 7, 6)
    assert compared.int8.error == pytest.approx(50 / 7500)
    assert compared.int8.silent == pytest.approx(30 / 7500)
    assert compared.int8.refused == pytest.approx(35 / 7500)
    # MNIST-C has shot noise at severity 5.
    assert compared.int8.published_error == pytest.approx(10 / 1500)
    assert compared.relative_error is None
    assert all(other.p_holm == 1 and other.drop_pp == 0 for other in compared.rows[1:])
    # A hundred images without a difference still allow some points.
    assert all(other.drop_interval_pp == pytest.approx((-3.7, 3.7), abs=0.01) for other in compared.rows[1:])


@pytest.fixture(scope="module")
def results(sample: mnist.Images) -> Robustness:
    held_out = mnist.HeldOut(sample, sample, (sample,), certain=False)
    return run_robustness(open_bundle(SHIPPED), held_out, RobustnessSettings(count=COUNT))


def test_the_shipped_files_read_clean_digits_and_fewer_of_the_corrupted_ones(results: Robustness) -> None:
    (runtime,) = results.runtimes
    for name in ("float32", "int8"):
        clean, means = getattr(runtime.clean, name), getattr(runtime, name)
        assert clean.correct >= 0.95 * COUNT
        assert 0.05 < means.error < 0.6
        assert means.silent <= means.error
        for row in runtime.rows:
            for reading in (getattr(cell, name) for cell in row.cells):
                low, high = reading.interval
                assert low <= reading.correct / COUNT <= high
                assert reading.silent <= min(COUNT - reading.correct, COUNT - reading.refused)
    # Both files see the very same images.
    assert abs(runtime.float32.error - runtime.int8.error) < 0.05


def test_reports_say_the_same_and_take_nothing_from_elsewhere(
    results: Robustness, sample: mnist.Images, tmp_path: Path
) -> None:
    sheet = draw_contact_sheet(sample, 1)
    json_path, markdown_path, page_path = write_robustness_reports(results, sheet, tmp_path)

    assert sheet.shape == (15, 6, 28, 28)
    assert msgspec.json.decode(json_path.read_bytes(), type=Robustness) == results
    markdown, page = markdown_path.read_text(), page_path.read_text()
    assert markdown == format_robustness(results)
    assert "It is not known whether the model was trained on them" in markdown
    assert "edge-mnist measure corruptions --count 40 --seed 1" in markdown
    assert markdown.count("| canny edges") == 4
    assert page.count("<img") == 15
    assert page.count("<svg") == 16  # A chart for each, and the one of the first screen.
    assert page.count("<table") == 5
    assert not re.search(r"https?:|<script|url\(", page)
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)', page))
    assert len(json_path.read_bytes()) < 60_000
    assert len(page) < 600_000


def test_a_report_names_what_quantization_changed_and_its_command(results: Robustness) -> None:
    (runtime,) = results.runtimes
    likely = [
        msgspec.structs.replace(row, p_holm=0.001 if row.corruption in {"fog", "stripe"} else 1) for row in runtime.rows
    ]
    intervals = {"fog": (1.0, 2.0), "stripe": (-0.1, 0.4)}
    changed = [
        msgspec.structs.replace(row, drop_pp=1.5, drop_interval_pp=intervals.get(row.corruption, (0.1, 0.2)))
        for row in likely
    ]
    gained = [msgspec.structs.replace(row, drop_pp=-1.5, drop_interval_pp=(-2.0, -1.0)) for row in likely]
    unchanged = [msgspec.structs.replace(row, p_holm=0.06) for row in runtime.rows]

    def say(rows: list) -> str:
        return summarize_robustness(results, msgspec.structs.replace(runtime, rows=tuple(rows)))[1]

    assert "a measurable drop from float32 to int8 under fog (1.50 points, 1.00 to 2.00); no" in say(changed)
    assert "a measurable gain from float32 to int8 under stripe (1.50 points, 1.00 to 2.00), fog (" in say(gained)
    assert "no measurable difference under the other 14" in say(changed)
    assert "no measurable difference under any of the 15" in say(unchanged)
    everything = RobustnessSettings(runtimes=("litert", "onnxruntime"), count=None, seed=7)
    assert describe_command(everything) == (
        "edge-mnist measure corruptions --runtime litert --runtime onnxruntime --all --seed 7"
    )
    conditions = " ".join(
        describe_robustness_conditions(msgspec.structs.replace(results, settings=everything, held_out=True))
    )
    assert "is a part of the set" not in conditions
    assert "not known" not in conditions


def test_the_command_writes_reports_and_refuses_two_answers_to_how_many(tmp_path: Path) -> None:
    made = edge_mnist("measure", "corruptions", "--count", 10, "--out", tmp_path, "--json")

    assert made.exit_code == 0, made.output
    assert msgspec.json.decode(made.stdout, type=Robustness).images.count == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "robustness.html", "robustness.json", "robustness.md",
    ]  # fmt: skip
    both = edge_mnist("measure", "corruptions", "--count", 20, "--all", "--out", tmp_path)
    assert both.exit_code == 2
    assert "--count or --all" in both.stderr
