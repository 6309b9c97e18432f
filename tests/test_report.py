"""What an export tells: its page and the changed digits on it, its progress, what files say of themselves, failures."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageDraw

from edge_mnist.edge import evaluate, mnist
from edge_mnist.edge.bundle import Bundle
from edge_mnist.edge.card import ModelCard, ModelFile
from edge_mnist.edge.classifiers import RUNTIMES, RuntimeUnavailableError, load_file
from edge_mnist.edge.evaluate import evaluate_apart
from edge_mnist.edge.golden import unpack_pixels
from edge_mnist.edge.inspection import inspect_file
from edge_mnist.export.flips import COLUMNS, HEADING, MOST_TILES, TILE_HEIGHT, TILE_WIDTH, ZOOM, draw_flips
from edge_mnist.export.progress import Progress
from edge_mnist.export.report import GLOSSARY, Evidence, format_report
from edge_mnist.export.verify import Outcome, Reference, run_apart

from .conftest import edge_mnist
from .parsed_page import ParsedPage

HOSTILE = """<script>alert('"&')</script>"""
# What explains each column of the files' table; a file's name and its size need no words.
EXPLAINED_BY = {
    "accuracy": "accuracy and 95 % interval",
    "95 % interval": "accuracy and 95 % interval",
    "drop (points)": "drop",
    "lost / gained": "drop",
    "p": "p",
    "agrees with Keras": "agrees with Keras",
    "largest logit difference": "largest logit difference",
}
FILES = [("tflite", "float32"), ("tflite", "int8"), ("onnx", "float32"), ("onnx", "int8")]


@pytest.fixture(scope="module")
def evidence(exported: Bundle) -> Evidence:
    """What the exported files really say, once more, each in a process of its own."""
    assert exported.card.export is not None
    name = exported.card.export.evaluations[0].images.name
    splits = (mnist.sample_splits,) if name.startswith(mnist.SAMPLE.removesuffix("-5k")) else (mnist.load_mnist,)
    images = splits[0]().test
    assert images.describe() == exported.card.export.evaluations[0].images
    logits = np.load(io.BytesIO(exported.read(exported.card.export.reference)))[name]
    reference = Reference(images, logits)
    golden = unpack_pixels(exported.card.export.golden_pixels)
    return Evidence(run_apart(exported.path, exported.files, reference, golden), reference)


@pytest.fixture(scope="module")
def content(exported: Bundle, evidence: Evidence) -> str:
    return format_report(exported.card, evidence)


@pytest.fixture(scope="module")
def page(content: str) -> ParsedPage:
    return ParsedPage(content)


def test_the_same_export_gives_the_same_page(exported: Bundle, content: str) -> None:
    assert content == (exported.path / "report.html").read_text(encoding="utf-8")


def test_the_page_names_every_file_with_its_figures(exported: Bundle, page: ParsedPage) -> None:
    rows = {row[0]: row[1:] for row in page.tables["Files"][1:]}
    count = exported.export.evaluations[0].images.count

    assert list(rows) == [file.record.name for file in exported.files]
    for file in exported.files:
        size, accuracy, _, _, changed, _, agreeing, _ = rows[file.record.name]
        check = file.verification
        assert size == f"{file.record.size_bytes:,}"
        assert (accuracy, agreeing) == (f"{check.correct / count:.2%}", f"{check.agreeing / count:.2%}")
        assert changed == ("" if file.precision == "float32" else f"{check.lost} / {check.gained}")


@pytest.fixture(scope="module")
def changed_page(exported: Bundle, evidence: Evidence) -> str:
    """The page of an export in which the first file gets seven digits wrong that it did not before."""
    first, *others = evidence.outcomes
    digits = evidence.reference.logits.argmax(axis=1)
    same = np.flatnonzero(first.logits.argmax(axis=1) == digits)[:7]
    logits = first.logits.copy()
    logits[same, (digits[same] + 1) % 10] = logits.max() + 1
    outcomes = [Outcome(first.file, first.runtime, logits, first.golden_logits), *others]
    return format_report(exported.card, Evidence(outcomes, evidence.reference))


def test_the_page_counts_every_changed_digit(exported: Bundle, changed_page: str) -> None:
    count = exported.export.evaluations[0].images.count
    changed = 7 + sum(count - file.verification.agreeing for file in exported.files)

    assert f"than the trained model ({changed})." in changed_page
    assert f'alt="Contact sheet of {changed} changed digits"' in changed_page


def test_the_page_takes_nothing_from_elsewhere_and_runs_nothing(changed_page: str) -> None:
    page = ParsedPage(changed_page)
    sources = [attributes[name] or "" for _, attributes in page.tags for name in ("src", "href") if name in attributes]

    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")
    assert not {"script", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert re.search(r"https?:|@import|url\(", changed_page) is None


def test_the_page_shows_the_cards_agreement(exported: Bundle, page: ParsedPage) -> None:
    agreement, total = exported.export.agreement, exported.export.evaluations[0].images.count

    head, *rows = page.tables["Who agrees with whom"]

    names = [name.removeprefix("standard-") for name in agreement.names]
    assert head == ["", *names]
    assert rows == [
        [name, *(f"{100 * count / total:.2f}" for count in counts)]
        for name, counts in zip(names, agreement.counts, strict=True)
    ]


def test_the_page_shows_every_trial_and_stars_the_chosen_one(exported: Bundle, page: ParsedPage) -> None:
    quantizations = [file.quantization for file in exported.files if file.quantization]
    shown = [row[:5] for row in page.tables["What was tried"] if row[1] != "weights"]

    assert shown == [
        ["★" if trial == one.chosen else "", trial.weights, trial.method, str(trial.calibration_images),
         f"{trial.snr_db:.2f}"]
        for one in quantizations
        for trial in one.trials
    ]  # fmt: skip
    assert [row[0] for row in shown].count("★") == len(quantizations) == 2


def test_the_page_shows_the_noise_of_every_layer(exported: Bundle, page: ParsedPage) -> None:
    shown = [row[:2] for row in page.tables["Noise, layer by layer"]]

    assert shown == [[one.layer, f"{one.snr_db:.1f} dB"] for file in exported.files for one in file.layers]


def test_every_column_of_the_files_table_is_explained(page: ParsedPage) -> None:
    head = page.tables["Files"][0]

    assert head[:2] == ["file", "bytes"]
    assert head[2:] == list(EXPLAINED_BY)
    assert set(EXPLAINED_BY.values()) <= GLOSSARY.keys()
    assert all(term in page.text and meaning in page.text for term, meaning in GLOSSARY.items())
    assert "Lost are those" in GLOSSARY["drop"]
    assert "gained the reverse" in GLOSSARY["drop"]


def _named(card: ModelCard) -> ModelCard:
    return msgspec.structs.replace(card, name=HOSTILE)


def _architecture(card: ModelCard) -> ModelCard:
    return msgspec.structs.replace(card, architecture=msgspec.structs.replace(card.architecture, name=HOSTILE))


def _layer(card: ModelCard) -> ModelCard:
    assert card.export is not None
    *others, file = card.export.files
    noisy = msgspec.structs.replace(file.layers[0], layer=HOSTILE)
    files = (*others, msgspec.structs.replace(file, layers=(noisy, *file.layers[1:])))
    return msgspec.structs.replace(card, export=msgspec.structs.replace(card.export, files=files))


def _command(card: ModelCard) -> ModelCard:
    assert card.training is not None
    return msgspec.structs.replace(card, training=msgspec.structs.replace(card.training, command=HOSTILE))


@pytest.mark.parametrize("change", [_named, _architecture, _layer, _command], ids=lambda one: one.__name__.strip("_"))
def test_what_a_card_says_is_text_whatever_it_looks_like(
    exported: Bundle, evidence: Evidence, content: str, change: Callable[[ModelCard], ModelCard]
) -> None:
    changed = format_report(change(exported.card), evidence)

    page = ParsedPage(changed)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in ParsedPage(content).tags]
    assert HOSTILE in page.text


def test_refusals_come_first(exported: Bundle, evidence: Evidence) -> None:
    failures = ["one drops <b>too much</b>.", "another one, too."]

    page = ParsedPage(format_report(exported.card, evidence, failures))

    for failure in failures:
        assert f"Refused: {failure}" in page.text
        assert page.text.index(failure) < page.text.index("The trained model reads")
    assert [tag for tag, _ in page.tags].count("strong") == 2


def test_a_page_of_an_export_that_was_accepted_refuses_nothing(page: ParsedPage) -> None:
    assert "Refused" not in page.text


def test_a_page_of_float_files_says_so(exported: Bundle, evidence: Evidence) -> None:
    floats = tuple(file for file in exported.files if file.precision == "float32")
    card = msgspec.structs.replace(exported.card, export=msgspec.structs.replace(exported.export, files=floats))
    unchanged = [outcome for outcome in evidence.outcomes if outcome.file.precision == "float32"]

    page = ParsedPage(format_report(card, Evidence(unchanged, evidence.reference)))

    assert "Only float32 files" in page.text
    assert "No file names another digit" in page.text
    assert not {"Noise, layer by layer", "What was tried"} & set(page.tables)
    assert "img" not in [tag for tag, _ in page.tags]


def test_a_card_without_files_has_no_page(exported: Bundle, evidence: Evidence) -> None:
    with pytest.raises(ValueError, match="no exported files"):
        format_report(msgspec.structs.replace(exported.card, export=None), evidence)


@pytest.fixture(scope="module")
def black() -> Reference:
    """Images of nothing but ink, so that every tile shows; the model calls them all 0."""
    pixels = np.full((200, 28, 28, 1), 255, np.uint8)
    images = mnist.Images("black", "black", pixels, np.ones(200, np.uint8), np.arange(200))
    return Reference(images, np.eye(10, dtype=np.float32)[np.zeros(200, int)])


def _outcome(file: ModelFile, changed: int) -> Outcome:
    """A file that calls so many of 200 images 1, the others 0."""
    logits = np.eye(10, dtype=np.float32)[(np.arange(200) < changed).astype(int)]
    return Outcome(file, RUNTIMES["litert"], logits, logits[:1])


def _tiles(sheet: Image.Image, top: int, rows: int) -> list[bool]:
    """Whether a digit lies at each place of a block."""
    gray, middle = np.array(sheet.convert("L")), 28 * ZOOM // 2
    places = [(top + HEADING + 16 + row * TILE_HEIGHT, 10 + column * TILE_WIDTH)
              for row in range(rows) for column in range(COLUMNS)]  # fmt: skip
    return [bool(gray[upper + middle, left + middle] < 50) for upper, left in places]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that are drawn."""
    words: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def spy(self: ImageDraw.ImageDraw, place: tuple, text: str, *options: object) -> None:
        words.append(text)
        draw(self, place, text, *options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    return words


def test_nothing_changed_draws_nothing(exported: Bundle, black: Reference) -> None:
    assert draw_flips([_outcome(file, 0) for file in exported.files], black) == (None, 0)


@pytest.mark.parametrize(
    ("changed", "rows"), [(1, 1), (COLUMNS, 1), (COLUMNS + 1, 2), (MOST_TILES, 10), (MOST_TILES + 1, 10)]
)
def test_the_sheet_has_a_tile_for_every_changed_digit(
    exported: Bundle, black: Reference, changed: int, rows: int
) -> None:
    picture, count = draw_flips([_outcome(exported.files[0], changed)], black)

    assert picture is not None
    sheet = Image.open(io.BytesIO(picture))
    shown = min(changed, MOST_TILES)
    assert (sheet.format, sheet.size) == ("PNG", (COLUMNS * TILE_WIDTH, HEADING + rows * TILE_HEIGHT))
    assert _tiles(sheet, 0, rows) == [True] * shown + [False] * (rows * COLUMNS - shown)
    assert count == changed


def test_every_file_with_changes_has_a_block_of_its_own(exported: Bundle, black: Reference, written: list[str]) -> None:
    outcomes = [_outcome(file, changed) for file, changed in zip(exported.files, (2, 0, 10, 0), strict=True)]

    picture, count = draw_flips(outcomes, black)

    assert picture is not None
    sheet = Image.open(io.BytesIO(picture))
    second = HEADING + TILE_HEIGHT
    assert sheet.size[1] == second + HEADING + 2 * TILE_HEIGHT
    assert _tiles(sheet, 0, 1) + _tiles(sheet, second, 2) == [True] * 2 + [False] * 7 + [True] * 10 + [False] * 8
    headings = [text for text in written if " on litert: " in text]
    assert headings == [
        f"{exported.files[0].record.name} on litert: 2 changed",
        f"{exported.files[2].record.name} on litert: 10 changed",
    ]
    assert count == 12


@pytest.mark.parametrize(("changed", "note"), [(MOST_TILES, ""), (MOST_TILES + 1, f", the first {MOST_TILES}")])
def test_the_heading_says_that_not_all_are_shown(
    exported: Bundle, black: Reference, written: list[str], changed: int, note: str
) -> None:
    draw_flips([_outcome(exported.files[0], changed)], black)

    assert written[0] == f"{exported.files[0].record.name} on litert: {changed} changed{note}"
    assert written[1:].count("file 1") == written[1:].count("is 1, model 0") == MOST_TILES


def test_the_same_changes_give_the_same_picture(exported: Bundle, black: Reference) -> None:
    first, second = (draw_flips([_outcome(exported.files[0], 5)], black) for _ in range(2))

    assert first == second


def test_without_a_terminal_progress_is_a_line_a_step_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2) as progress:
        progress.step("Making a")
        progress.step("Making b")

    captured = capsys.readouterr()
    assert captured.err == "Making a …\nMaking b …\n"
    assert captured.out == ""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_progress_is_a_bar_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with Progress(2) as progress:
        progress.step("Making a")
        progress.step("Making b")

    shown = terminal.getvalue()
    assert "\n" not in shown
    assert re.search(r"Making a:\s+0%.*Making b:\s+50%", shown, re.DOTALL)
    assert re.search(r"\r +\r$", shown)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("format_", "precision"), FILES)
def test_golden_vectors_inside_a_file_are_the_cards(exported: Bundle, format_: str, precision: str) -> None:
    file = exported.file(format_, precision)
    properties = inspect_file(exported.read(file.record), file.record.name).model.properties

    golden = json.loads(properties["edge_mnist.golden"])

    pixels = unpack_pixels(golden["pixels"])
    logits = np.array(golden["logits"])
    assert 1 <= len(pixels) == len(logits) <= 10
    assert (pixels == unpack_pixels(exported.export.golden_pixels)[: len(pixels)]).all()
    assert logits == pytest.approx(np.array(file.golden_logits)[: len(logits)], rel=1e-5)
    classify = load_file(RUNTIMES["litert" if format_ == "tflite" else "onnxruntime"], exported.read(file.record), file)
    assert classify.logits(pixels) == pytest.approx(logits, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("format_", "precision"), FILES)
def test_inspect_shows_what_a_file_says_of_itself(exported: Bundle, format_: str, precision: str) -> None:
    file, evaluation = exported.file(format_, precision), exported.export.evaluations[0]
    path = exported.path / file.record.name

    text, as_json = edge_mnist("inspect", path), edge_mnist("inspect", path, "--json")

    assert (text.exit_code, as_json.exit_code) == (0, 0)
    properties = json.loads(as_json.stdout)["model"]["properties"]
    shown = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in text.stdout.splitlines() if "edge_mnist." in line)
    assert {key: value for key, value in properties.items() if len(value) <= 200}.items() <= shown.items()
    assert re.fullmatch(r"\([\d,]+ characters\)", shown["edge_mnist.golden"])
    assert properties["edge_mnist.precision"] == precision
    assert properties["edge_mnist.accuracy"].startswith(
        f"{file.verification.correct} of {evaluation.images.count} ({evaluation.images.name}) in "
    )
    assert exported.card.source.sha256 in properties["edge_mnist.source"]
    assert properties["edge_mnist.quantization"].startswith("none" if precision == "float32" else "weights ")


@pytest.fixture
def int8(exported: Bundle) -> tuple[Path, ModelFile]:
    """The int8 TFLite file, and what its card says of it save which runtime is too old."""
    file = msgspec.structs.replace(exported.file("tflite", "int8"), min_runtime=None)
    return exported.path / file.record.name, file


@pytest.fixture
def images(tmp_path: Path, sample: mnist.Images) -> Path:
    np.save(tmp_path / "images.npy", sample.pixels[::500])
    return tmp_path / "images.npy"


def _install_runtime(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tflite-runtime that runs this code as soon as it is imported."""
    (folder / "tflite_runtime").mkdir()
    (folder / "tflite_runtime" / "__init__.py").touch()
    (folder / "tflite_runtime" / "interpreter.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with code -9: no message"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with code -11: no message"),
        ("import os; os.write(2, b'first\\nlast\\n'); os._exit(3)", "ended with code 3: last"),
        ("raise OSError('libedgetpu.so: not found')", "ended with code 1: tflite-runtime cannot run .*libedgetpu.so"),
        ("raise RuntimeError", "ended with code 1: tflite-runtime cannot run standard-int8.tflite: RuntimeError"),
        ("Interpreter = None", "ended with code 1: tflite-runtime cannot run .* not callable"),
        ("import time; time.sleep(60)", "did not finish standard-int8.tflite within 2 s"),
    ],
    ids=["killed", "crashed", "exited", "broken", "speechless", "another module", "hanging"],
)
def test_a_process_that_dies_is_one_sentence(
    int8: tuple[Path, ModelFile],
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    sentence: str,
) -> None:
    _install_runtime(tmp_path, code, monkeypatch)
    if "sleep" in code:
        monkeypatch.setattr(evaluate, "PROCESS_TIMEOUT_S", 2)

    with pytest.raises(RuntimeUnavailableError, match=sentence) as caught:
        evaluate_apart(*int8, "tflite-runtime", images)

    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_runtime_is_one_sentence(int8: tuple[Path, ModelFile], images: Path) -> None:
    if RUNTIMES["tflite-runtime"].installed:
        pytest.skip("tflite-runtime is installed here")

    with pytest.raises(RuntimeUnavailableError, match="No module named 'tflite_runtime'") as caught:
        evaluate_apart(*int8, "tflite-runtime", images)

    assert len(str(caught.value).splitlines()) == 1


def test_modules_in_the_current_folder_are_not_imported(
    int8: tuple[Path, ModelFile], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, file = int8
    (tmp_path / "random.py").write_text("raise RuntimeError('mine')")
    monkeypatch.chdir(tmp_path)

    logits = evaluate_apart(path, file, "litert", images)

    assert (logits == load_file(RUNTIMES["litert"], path.read_bytes(), file).logits(np.load(images))).all()
