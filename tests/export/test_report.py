"""What an export tells: its page, its progress, and what its files say of themselves."""

import io
import json
import re
import sys
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from edge_mnist.edge.bundle.card import ModelCard
from edge_mnist.edge.bundle.folder import Bundle
from edge_mnist.edge.common.terminal.formatting import format_percent
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.edge.inspection.inspect import inspect_file
from edge_mnist.edge.runtimes.golden import unpack_pixels
from edge_mnist.edge.runtimes.registry import RUNTIMES, load_file
from edge_mnist.export.pipeline import show_steps
from edge_mnist.export.report.page import GLOSSARY, ReportInputs, format_report
from edge_mnist.export.verify import FileOutputs, KerasReference, run_in_processes
from tests.builders.parsed_page import ParsedPage
from tests.conftest import edge_mnist

HOSTILE = """<script>alert('"&')</script>"""
# What explains each column of the files' table; a file's name and its size need no words.
EXPLAINED_BY = {
    "accuracy": "accuracy and 95 % interval",
    "95 % interval": "accuracy and 95 % interval",
    "drop (points)": "drop",
    "its 95 % interval": "drop",
    "lost / gained": "drop",
    "p": "p",
    "agrees with Keras": "agrees with Keras",
    "largest logit difference": "largest logit difference",
}
FILES = [("tflite", "float32"), ("tflite", "int8"), ("onnx", "float32"), ("onnx", "int8")]


@pytest.fixture(scope="module")
def evidence(exported: Bundle) -> ReportInputs:
    """What the exported files really say, once more, each in a process of its own."""
    assert exported.card.export is not None
    name = exported.card.export.evaluations[0].images.name
    splits = (
        (mnist.split_sample_for_training,) if name.startswith(mnist.SAMPLE.removesuffix("-5k")) else (mnist.load_mnist,)
    )
    images = splits[0]().test
    assert images.describe() == exported.card.export.evaluations[0].images
    logits = np.load(io.BytesIO(exported.read(exported.card.export.reference)))[name]
    reference = KerasReference(images, logits)
    golden = unpack_pixels(exported.card.export.golden_pixels)
    return ReportInputs(run_in_processes(exported.path, exported.files, reference, golden), reference)


@pytest.fixture(scope="module")
def content(exported: Bundle, evidence: ReportInputs) -> str:
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
        size, accuracy, _, _, _, changed, _, agreeing, _ = rows[file.record.name]
        check = file.verification
        assert size == f"{file.record.size_bytes:,}"
        assert (accuracy, agreeing) == (format_percent(check.correct / count), format_percent(check.agreeing / count))
        assert changed == ("" if file.precision == "float32" else f"{check.lost} / {check.gained}")


@pytest.fixture(scope="module")
def changed_page(exported: Bundle, evidence: ReportInputs) -> str:
    """The page of an export in which the first file gets seven digits wrong that it did not before."""
    first, *others = evidence.outcomes
    digits = evidence.reference.logits.argmax(axis=1)
    same = np.flatnonzero(first.logits.argmax(axis=1) == digits)[:7]
    logits = first.logits.copy()
    logits[same, (digits[same] + 1) % 10] = logits.max() + 1
    outcomes = [FileOutputs(first.file, first.runtime, logits, first.golden_logits), *others]
    return format_report(exported.card, ReportInputs(outcomes, evidence.reference))


def test_the_page_counts_every_changed_digit(exported: Bundle, changed_page: str) -> None:
    count = exported.export.evaluations[0].images.count
    changed = 7 + sum(count - file.verification.agreeing for file in exported.files)

    assert f"than the trained model ({changed})." in changed_page
    assert f'alt="Contact sheet of {changed} changed digits"' in changed_page


def test_the_page_takes_nothing_from_elsewhere_and_runs_nothing(changed_page: str) -> None:
    page = ParsedPage(changed_page)
    named = [attributes[name] or "" for _, attributes in page.tags for name in ("src", "href") if name in attributes]
    sources = [source for source in named if not source.startswith("#")]

    # The icon is none, so that a browser asks no server for one.
    assert sorted(sources)[0] == "data:,"
    assert [source[:22] for source in sorted(sources)[1:]] == ["data:image/png;base64,"]
    assert not {"script", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
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
    shown = [row[:7] for row in page.tables["What was tried"] if row[1] != "weights"]

    assert shown == [
        ["★" if trial == one.chosen else "", trial.weights, trial.method,
         "clean and degraded" if trial.degraded else "clean", str(trial.calibration_images),
         f"{trial.snr_db:.2f}", f"{trial.degraded_snr_db:.2f}"]
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
    exported: Bundle, evidence: ReportInputs, content: str, change: Callable[[ModelCard], ModelCard]
) -> None:
    changed = format_report(change(exported.card), evidence)

    page = ParsedPage(changed)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in ParsedPage(content).tags]
    assert HOSTILE in page.text


def _with_int8(card: ModelCard, lost: int, gained: int, images: int = 100) -> ModelCard:
    """The card with other figures of its int8 files."""
    assert card.export is not None
    files = []
    for file in card.export.files:
        if file.quantization:
            chosen = msgspec.structs.replace(file.quantization.chosen, calibration_images=images)
            check = msgspec.structs.replace(file.verification, lost=lost, gained=gained)
            quantization = msgspec.structs.replace(file.quantization, chosen=chosen)
            files.append(msgspec.structs.replace(file, verification=check, quantization=quantization))
        else:
            files.append(file)
    return msgspec.structs.replace(card, export=msgspec.structs.replace(card.export, files=tuple(files)))


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (2, 2), (1, 4)])
def test_where_nothing_drops_the_page_names_no_largest_drop(
    exported: Bundle, evidence: ReportInputs, lost: int, gained: int
) -> None:
    page = ParsedPage(format_report(_with_int8(exported.card, lost, gained), evidence))

    assert "No file reads fewer of them right than its float32 file." in page.text
    assert "largest drop" not in page.text


def test_a_drop_is_named(exported: Bundle, evidence: ReportInputs) -> None:
    page = ParsedPage(format_report(_with_int8(exported.card, 3, 1), evidence))

    assert re.search(
        r"The largest drop is that of \S+: \+\d\.\d\d points \(95 % interval -\d\.\d\d to \+\d\.\d\d; 3 lost, 1 gained",
        page.text,
    )
    assert "No file reads fewer" not in page.text


def test_both_figures_of_the_logits_say_what_they_rest_on(exported: Bundle, page: ParsedPage) -> None:
    for format_, kernels in (("tflite", "without its delegate"), ("onnx", "with every layer's output asked for")):
        file = exported.file(format_, "int8")
        assert file.quantization is not None
        runtime, on = file.verification.runtime, file.quantization.validation
        assert f"On the first 50 images of {on.name}, in {runtime} {kernels}" in page.text
        assert f"On {on.count:,} images, {on.name}, in {runtime} as it is used." in page.text


def test_the_page_says_how_many_images_each_file_is_calibrated_on(exported: Bundle, evidence: ReportInputs) -> None:
    calibration = exported.export.calibration
    assert calibration is not None
    count = calibration.images.count

    fewer, all_of_them = (
        ParsedPage(format_report(_with_int8(exported.card, 0, 0, images), evidence)).text for images in (7, 10 * count)
    )

    files = [exported.file(format_, "int8") for format_ in ("tflite", "onnx")]
    copies = [
        " and a degraded copy of each" if file.quantization and file.quantization.chosen.degraded is True else ""
        for file in files
    ]
    for text, used in ((fewer, 7), (all_of_them, count)):
        uses = ", ".join(f"{file.record.name} uses {used}{copy}" for file, copy in zip(files, copies, strict=True))
        assert f"{count} to choose from, of which {uses}." in text


def test_words_are_aligned_to_the_left_and_figures_to_the_right(content: str) -> None:
    section = content.partition("<h2>What was tried</h2>")[2].partition("<h2>")[0]

    left = set(re.findall(r"<td class=\"left\"[^>]*>([^<]*)<", section))
    right = set(re.findall(r"<td data-head[^>]*>([^<]*)<", section))

    assert {"as trained", "equalized and rounded", "minmax"} <= left
    assert right
    assert all(re.fullmatch(r"[\d.,-]+", cell) for cell in right)


def test_on_paper_nothing_is_cut_off_or_left_white(content: str) -> None:
    printed = content.partition("@media print {")[2].partition("</style>")[0]

    assert ".scroll { overflow: visible; }" in printed
    assert ".bar { print-color-adjust: exact; }" in printed


def test_refusals_come_first(exported: Bundle, evidence: ReportInputs) -> None:
    failures = ["one drops <b>too much</b>.", "another one, too."]

    page = ParsedPage(format_report(exported.card, evidence, failures))

    for failure in failures:
        assert f"Refused: {failure}" in page.text
        assert page.text.index(failure) < page.text.index("The trained model reads")
    assert [tag for tag, _ in page.tags].count("strong") == 2


def test_a_page_of_an_export_that_was_accepted_refuses_nothing(page: ParsedPage) -> None:
    assert "Refused" not in page.text


def test_a_page_of_float_files_says_so(exported: Bundle, evidence: ReportInputs) -> None:
    floats = tuple(file for file in exported.files if file.precision == "float32")
    card = msgspec.structs.replace(exported.card, export=msgspec.structs.replace(exported.export, files=floats))
    unchanged = [outcome for outcome in evidence.outcomes if outcome.file.precision == "float32"]

    page = ParsedPage(format_report(card, ReportInputs(unchanged, evidence.reference)))

    assert "Only float32 files" in page.text
    assert "No file names another digit" in page.text
    assert not {"Noise, layer by layer", "What was tried"} & set(page.tables)
    assert "img" not in [tag for tag, _ in page.tags]


def test_a_card_without_files_has_no_page(exported: Bundle, evidence: ReportInputs) -> None:
    with pytest.raises(ValueError, match="no exported files"):
        format_report(msgspec.structs.replace(exported.card, export=None), evidence)


def test_without_a_terminal_progress_is_a_line_a_step_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with show_steps(2) as step:
        step("Making a")
        step("Making b")

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

    with show_steps(2) as step:
        step("Making a")
        step("Making b")

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
