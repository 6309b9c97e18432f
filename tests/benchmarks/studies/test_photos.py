"""Photo benchmark: scores are those one counts by hand, labels are checked, and every failure is shown."""

import base64
import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from edge_mnist.benchmarks.photos.labels import SHIPPED_PHOTOS, read_labels
from edge_mnist.benchmarks.photos.photos import PhotoResults
from edge_mnist.benchmarks.photos.scores import Score, edit_distance, find_misread, score_image, sum_scores
from edge_mnist.benchmarks.scenes.pages import draw_page
from edge_mnist.benchmarks.scenes.scene import draw_scene
from edge_mnist.edge.common.machine import count_cores
from tests.conftest import edge_mnist

# Read without error whatever the reader, see test_reading.py.
ROWS = ("1247", "89")
# Mean difference between two pictures, of 255 gray levels; two of different noise differ by several.
ROUNDING = 1.0


@pytest.mark.parametrize(
    ("truth", "reading", "matched", "distance", "precision", "recall", "f1", "row_accuracy"),
    [
        (["123"], ["123"], 3, 0, 1, 1, 1, 1),
        (["1123"], ["123"], 3, 1, 1, 3 / 4, 6 / 7, 3 / 4),
        (["123"], ["11123"], 3, 2, 3 / 5, 1, 6 / 8, 1 / 3),
        (["123"], ["173"], 2, 1, 2 / 3, 2 / 3, 2 / 3, 2 / 3),
        (["123"], ["132"], 3, 2, 1, 1, 1, 1 / 3),
        (["12", "34"], ["1234"], 4, 1, 1, 1, 1, 3 / 4),
        (["1234"], ["12", "34"], 4, 1, 1, 1, 1, 3 / 4),
        (["12", "34"], ["34", "12"], 4, 4, 1, 1, 1, 0),
        (["12"], ["34567"], 0, 5, 0, 0, 0, 0),
        (["12"], [], 0, 2, None, 0, 0, 0),
        ([], ["7"], 0, 1, 0, None, None, None),
        ([], [], 0, 0, None, None, None, None),
    ],
    ids=["exact", "one missing", "two too many", "one mistaken", "wrong order", "rows joined", "row torn",
         "rows swapped", "all wrong", "nothing read", "read where nothing is", "nothing where nothing is"],
)  # fmt: skip
def test_scores_are_those_counted_by_hand(  # noqa: PLR0913, PLR0917 - a column each
    truth: list[str],
    reading: list[str],
    matched: int,
    distance: int,
    precision: float | None,
    recall: float | None,
    f1: float | None,
    row_accuracy: float | None,
) -> None:
    score = score_image(truth, reading)

    assert (score.matched, score.distance) == (matched, distance)
    assert (score.written, score.read) == (len("".join(truth)), len("".join(reading)))
    assert (score.precision, score.recall, score.f1) == (precision, recall, pytest.approx(f1) if f1 else f1)
    assert score.row_accuracy == (pytest.approx(row_accuracy) if row_accuracy else row_accuracy)
    assert score.exact == (truth == reading)


def test_sums_count_false_digits_of_empty_pictures() -> None:
    total = sum_scores([score_image(["123"], ["123"]), score_image([], ["7"]), score_image(["1111"], ["111"])])

    assert (total.images, total.exact, total.written, total.read, total.matched, total.distance) == (3, 1, 7, 7, 6, 2)
    assert (total.precision, total.recall, total.f1) == (6 / 7, 6 / 7, pytest.approx(6 / 7))
    assert total.row_accuracy == pytest.approx(5 / 7)


def test_sums_match_digits_within_pictures_only() -> None:
    total = sum_scores([score_image(["1"], ["2"]), score_image(["2"], ["1"])])

    assert total.f1 == 0


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("12\n3", "123", 1)],
)
def test_the_edit_distance_is_levenshteins(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == distance


@pytest.mark.parametrize(
    ("truth", "reading", "misread"),
    [
        (["1247", "89"], ["1247", "89"], set()),
        (["1247", "89"], ["1147", "89"], {1}),
        (["1247", "89"], ["1247", "989"], {4}),
        # The others of its kind are right.
        (["2222", "3"], ["2222", "2"], {4}),
        (["12", "34"], ["1234"], set()),
        (["1234"], ["12", "34"], set()),
        (["12", "34"], ["12", "7", "34"], {2}),
        (["1247"], [], set()),
        ([], ["12", "3"], {0, 1, 2}),
        ([], [], set()),
    ],
)
def test_only_digits_that_are_added_or_mistaken_are_misread(
    truth: list[str], reading: list[str], misread: set[int]
) -> None:
    assert find_misread(truth, reading) == misread


def test_there_are_never_more_misread_digits_than_edits() -> None:
    random = np.random.default_rng(5)
    for _ in range(300):
        truth, reading = (
            ["".join(map(str, random.integers(0, 4, random.integers(1, 6)))) for _ in range(random.integers(0, 4))]
            for _ in range(2)
        )
        read = "".join(reading)
        misread = find_misread(truth, reading)

        assert misread <= set(range(len(read)))
        assert len(misread) <= edit_distance("\n".join(truth), "\n".join(reading))
        # What is not misread stands in the truth, in the same order.
        left = iter("".join(truth))
        assert all(digit in left for i, digit in enumerate(read) if i not in misread)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page, the same with a label that is wrong on purpose, and an empty one."""
    folder = tmp_path / "photos <3"
    folder.mkdir()
    Image.fromarray(draw_page(ROWS, seed=3)).save(folder / "right.png")
    Image.fromarray(draw_page(ROWS, seed=3)).save(folder / "wrong & odd.png")
    Image.fromarray(np.full((200, 300), 200, np.uint8)).save(folder / "empty.png")
    labels = {
        "right.png": {"rows": ROWS, "condition": "page", "license": "none", "notes": ["ignored"]},
        "wrong & odd.png": {"rows": ["1247", "890"], "condition": "page"},
        "empty.png": {"rows": []},
    }
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


def test_a_folder_is_read_and_scored(folder: Path, tmp_path: Path) -> None:
    result = edge_mnist("benchmark", "photos", folder, "--out", tmp_path / "out", "--json")

    assert result.exit_code == 0, result.output
    results = msgspec.json.decode(result.stdout, type=PhotoResults)
    assert [image.file for image in results.images] == ["right.png", "wrong & odd.png", "empty.png"]
    assert results.images[0].reading == ROWS
    assert results.total == sum_scores(image.score for image in results.images)
    assert (results.total.exact, results.total.written, results.total.matched) == (2, 13, 12)
    assert list(results.conditions) == ["page"]
    assert results.conditions["page"].images == 2
    assert (results.photos, results.precision) == ("photos <3", "int8")
    assert json.loads((tmp_path / "out" / "photos.json").read_text()) == json.loads(result.stdout)


def test_the_runtime_and_precision_asked_for_are_used(folder: Path, tmp_path: Path) -> None:
    options = ("--runtime", "onnxruntime", "--precision", "float32", "--threads", 2, "--json")

    result = edge_mnist("benchmark", "photos", folder, "--out", tmp_path, *options)

    results = msgspec.json.decode(result.stdout, type=PhotoResults)
    assert (results.runtime, results.precision, results.num_threads) == ("onnxruntime", "float32", 2)


def test_the_table_and_the_report_have_a_line_for_each_condition(folder: Path, tmp_path: Path) -> None:
    result = edge_mnist("benchmark", "photos", folder, "--out", tmp_path)

    assert result.exit_code == 0, result.output
    assert [line.split()[:4] for line in result.stdout.splitlines()[2:4]] == [
        ["page", "2", "1", "13"],
        ["all", "3", "2", "13"],
    ]
    assert "2 of 3 pictures without any error" in result.stdout
    report = (tmp_path / "photos.md").read_text()
    assert re.search(r"wrong & odd.png +\| 1247 / 890 +\| 1247 / 89 ", report)
    assert "Not read exactly (1)" in report


def test_the_gallery_shows_each_failure_and_nothing_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    edge_mnist("benchmark", "photos", folder, "--out", tmp_path)

    page = (tmp_path / "photos.html").read_text()

    assert re.findall(r"<h3>([^<]*) <span", page) == ["wrong &amp; odd.png"]
    assert "photos &lt;3" in page
    assert "<dt>missing</dt><dd>0</dd>" in page
    assert page.count("<rect ") == 6
    assert not re.search(r"https?:|src=|<script|url\(", page)
    (picture,) = re.findall(r'href="data:image/jpeg;base64,([^"]+)"', page)
    assert base64.b64decode(picture).startswith(b"\xff\xd8")
    assert "prefers-color-scheme: dark" in page


def test_digits_that_are_not_there_are_marked(tmp_path: Path) -> None:
    Image.fromarray(draw_page(ROWS, seed=3)).save(tmp_path / "a.png")
    (tmp_path / "labels.json").write_text('{"a.png": {"rows": ["124", "89"]}}')

    edge_mnist("benchmark", "photos", tmp_path, "--out", tmp_path / "out")

    page = (tmp_path / "out" / "photos.html").read_text()
    assert page.count('<rect class="wrong"') == 1
    assert re.search(r'<text class="wrong" [^>]*>7<', page)
    assert "<dt>too many</dt><dd>7</dd>" in page


def test_pictures_without_errors_give_an_empty_gallery(tmp_path: Path) -> None:
    Image.fromarray(draw_page(ROWS, seed=3)).save(tmp_path / "a.png")
    (tmp_path / "labels.json").write_text('{"a.png": {"rows": ["1247", "89"]}}')

    result = edge_mnist("benchmark", "photos", tmp_path, "--out", tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert 'class="photo"' not in (tmp_path / "out" / "photos.html").read_text()


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (None, "No such file"),
        ("", "Input data was truncated"),
        ("{", "Input data was truncated"),
        ("[]", "Expected `object`"),
        ("{}", "names no pictures"),
        ('{"a.png": ["12"]}', "Expected `object`"),
        ('{"a.png": {}}', "missing required field `rows`"),
        ('{"a.png": {"rows": "12"}}', "Expected `array`"),
        ('{"a.png": {"rows": [12]}}', "Expected `str`"),
        ('{"a.png": {"rows": ["1a"]}}', "expected rows of digits, got '1a'"),
        ('{"a.png": {"rows": ["²"]}}', "expected rows of digits"),
        ('{"a.png": {"rows": [""]}}', "expected rows of digits"),
        ('{"a.png": {"rows": []}, "b.png": {"rows": []}}', "b.png: no such file"),
        ('{"../a.png": {"rows": []}}', "expected a file in this folder"),
        ('{"/etc/hostname": {"rows": []}}', "expected a file in this folder"),
    ],
    ids=str,
)
def test_labels_that_cannot_be_used_are_one_sentence(tmp_path: Path, labels: str | None, reason: str) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("L", (60, 60), 255).save(folder / "a.png")
    if labels is not None:
        (folder / "labels.json").write_text(labels)

    result = edge_mnist("benchmark", "photos", folder, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert str(folder / "labels.json") in result.stderr
    assert reason in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_picture_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "right.png").write_bytes((folder / "right.png").read_bytes()[:500])

    result = edge_mnist("benchmark", "photos", folder, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "right.png" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_there_says_what_was_expected(tmp_path: Path) -> None:
    result = edge_mnist("benchmark", "photos", tmp_path / "nowhere", "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert "Expected a folder with pictures and a labels.json" in result.stderr


def test_the_option_of_before_names_the_command() -> None:
    result = edge_mnist("benchmark", "--photos", "my photos")

    assert result.exit_code == 2
    assert "edge-mnist benchmark photos 'my photos'" in result.stderr


def test_no_threads_are_all_processors(folder: Path, tmp_path: Path) -> None:
    result = edge_mnist("benchmark", "photos", folder, "--out", tmp_path, "--threads", 0, "--json")

    assert msgspec.json.decode(result.stdout, type=PhotoResults).num_threads == count_cores()


def test_a_precision_that_the_bundle_lacks_says_which_it_has(folder: Path, tmp_path: Path) -> None:
    result = edge_mnist("benchmark", "photos", folder, "--precision", "float16", "--out", tmp_path)

    assert result.exit_code == 1
    assert "only" in result.stderr


def test_the_shipped_pictures_are_labelled_and_small() -> None:
    photos = read_labels(SHIPPED_PHOTOS)

    assert len({photo.label.condition for photo in photos}) == len(photos) > 20
    assert {photo.name for photo in photos} | {"labels.json"} == {path.name for path in SHIPPED_PHOTOS.iterdir()}
    assert sum(path.stat().st_size for path in SHIPPED_PHOTOS.iterdir()) < 900_000


def test_the_shipped_pictures_are_those_that_the_command_makes() -> None:
    for photo in read_labels(SHIPPED_PHOTOS):
        condition, _, seed = photo.path.stem.rpartition("-")

        scene = draw_scene(condition, int(seed), most_megapixels=0.2)

        assert (photo.label.condition, photo.label.rows) == (condition, scene.rows)
        shipped = np.asarray(Image.open(photo.path), np.float32)
        # Other builds of OpenCV and of the JPEG library round differently.
        assert np.abs(shipped - scene.picture).mean() < ROUNDING


def test_the_shipped_pictures_are_benchmarked_by_name(tmp_path: Path) -> None:
    result = edge_mnist("benchmark", "photos", "shipped", "--out", tmp_path, "--json")

    assert result.exit_code == 0, result.output
    results = msgspec.json.decode(result.stdout, type=PhotoResults)
    assert len(results.images) == len(read_labels(SHIPPED_PHOTOS))
    plain = results.conditions["plain"]
    assert isinstance(plain, Score)
    assert plain.recall is not None
    assert plain.recall > 0.8
