"""Confidence is how likely there is this very digit: low for what is no digit, and as high as it holds for what is."""

import json
import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from edge_mnist.benchmarks.scenes.pages import PagePen, draw_page
from edge_mnist.benchmarks.studies.networks.confidence import (
    Case,
    CaseColumns,
    estimate_held_out,
    find_highest,
    fit_odds,
    measure_weighted_error,
)
from edge_mnist.cli import main
from edge_mnist.edge.bundle.card import SCHEMA_VERSION, decode_card, encode_card
from edge_mnist.edge.bundle.contract import ImageSet
from edge_mnist.edge.bundle.export_record import DigitOdds
from edge_mnist.edge.bundle.folder import Bundle, open_bundle
from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.commands.running.output import FrameResult, format_json
from edge_mnist.edge.media.sources import SourceFrame
from edge_mnist.edge.reading.reader import Reader
from edge_mnist.edge.runtimes.abstention import estimate_digit_probability, weigh_company

SET = ImageSet(name="made-up", source="made-up", count=1, sha256="0" * 64)
ODDS = DigitOdds(
    intercept=-6.0,
    score=1.5,
    company=3.0,
    highest=0.998,
    digits=SET,
    scenes=SET,
    read_digits=500,
    read_others=500,
    calibration_error=0.01,
)
PAGE = draw_page(("2475", "89"), seed=3, pen=PagePen(height_px=50, width_px=5))


# --- the function ---


def test_the_probability_is_the_logistic_function_of_score_and_company() -> None:
    assert estimate_digit_probability(4.0, 0.0, ODDS) == pytest.approx(0.5)
    assert estimate_digit_probability(4.0, 1.0, ODDS) == pytest.approx(1 / (1 + np.exp(-3)))
    assert estimate_digit_probability(5.0, 0.0, ODDS) == pytest.approx(1 / (1 + np.exp(-1.5)))


@pytest.mark.parametrize("score", [-1e6, -50.0, 50.0, 1e6])
def test_no_probability_overflows_or_is_higher_than_was_shown(score: float) -> None:
    probability = estimate_digit_probability(score, 0.0, ODDS)

    assert probability == (ODDS.highest if score > 0 else pytest.approx(0, abs=1e-9))


def test_a_card_that_does_not_say_gives_no_probability() -> None:
    assert estimate_digit_probability(5.0, 1.0, None) is None


def test_company_is_digits_but_a_1_is_none() -> None:
    assert weigh_company([2, 4, 7], shapes=3) == pytest.approx(np.log(4))
    assert weigh_company([1], shapes=1) == pytest.approx(np.log(1 / 2))
    assert weigh_company([1, 1, 1], shapes=40) == pytest.approx(np.log(1 / 41))
    assert weigh_company([2, 3, 4], shapes=1) == pytest.approx(np.log(4)), "several were cut out of one shape"
    assert weigh_company([], shapes=0) == 0


# --- what the reader says ---


def test_confidence_is_the_product_of_its_two_factors() -> None:
    digits = Reader().read(PAGE).digits

    assert len(digits) == 6
    for digit in digits:
        assert digit.digit_probability is not None
        assert digit.class_probability is not None
        assert digit.confidence == pytest.approx(
            digit.digit_probability * digit.class_probability, abs=2e-4
        )  # all three are rounded


def test_digits_on_a_page_are_sure_and_no_surer_than_the_fit_has_seen() -> None:
    digits = Reader().read(PAGE).digits

    highest = open_bundle(SHIPPED).export.abstention.digit_odds.highest  # type: ignore[union-attr]
    assert min(digit.confidence for digit in digits) > 0.95
    assert max(digit.confidence for digit in digits) <= highest < 0.999


def test_strokes_in_a_scene_without_digits_are_never_sure() -> None:
    reader = Reader(least_likely=0.0)
    random = np.random.default_rng(0)
    sure = []
    for _ in range(20):
        scene = np.full((400, 600), 210, np.uint8)
        for _ in range(12):
            x, y, down, across = random.integers((20, 20, 30, -8), (580, 300, 90, 9)).tolist()
            cv2.line(scene, (x, y), (x + across, y + down), 60, 4, cv2.LINE_AA)
        sure += [digit.confidence for digit in reader.read(scene).digits]

    assert len(sure) > 20, "the scenes are to be hard"
    assert max(sure) < 0.5


def test_a_bundle_without_the_fit_says_how_likely_the_class_is_and_marks_it() -> None:
    shipped = open_bundle(SHIPPED)
    abstention = replace(shipped.export.abstention, digit_odds=None)
    old = Bundle(SHIPPED, replace(shipped.card, export=replace(shipped.export, abstention=abstention)))

    digits = Reader(old).read(PAGE).digits

    assert all(digit.digit_probability is None for digit in digits)
    assert all(digit.confidence == digit.class_probability for digit in digits)


def test_json_has_the_confidence_and_its_factors() -> None:
    reading = Reader().read(PAGE)
    frame = SourceFrame("page.png", None, None, PAGE, lambda: np.stack([PAGE] * 3, -1), False, 0.0)

    document = json.loads(format_json(FrameResult(frame, reading, None)))

    first, digit = document["digits"][0], reading.digits[0]
    assert first["confidence"] == digit.confidence
    assert first["digit_probability"] == digit.digit_probability
    assert first["class_probability"] == digit.class_probability
    assert document["truncated"] is False


# --- cards ---


@pytest.mark.parametrize("name", ["standard", "nano"])
def test_shipped_cards_say_how_likely_a_digit_is_and_their_files_are_as_they_were(name: str) -> None:
    bundle = open_bundle(name)
    odds = bundle.export.abstention.digit_odds

    assert odds is not None
    assert odds.score > 0
    assert odds.company > 0
    assert odds.read_digits > 500
    assert odds.read_others > 500
    assert odds.calibration_error < 0.03


def test_a_card_of_the_version_before_keeps_its_bytes() -> None:
    shipped = open_bundle(SHIPPED)
    abstention = replace(shipped.export.abstention, digit_odds=None)
    card = replace(shipped.card, schema_version=4, export=replace(shipped.export, abstention=abstention))

    content = encode_card(card)

    assert b"digit_odds" not in content
    assert decode_card(content, "card") == card


# --- the fit ---


def _cases(count: int, seed: int = 0) -> list[Case]:
    """Digits score 5 on average, others 2; company tells nothing; the fit should find weights of 3 and 0."""
    random = np.random.default_rng(seed)
    is_digit = random.random(count) < 0.5
    scores, company = random.normal(np.where(is_digit, 5.0, 2.0), 1.0), random.normal(0, 1, count)
    columns = zip(scores.tolist(), company.tolist(), is_digit.tolist(), strict=True)
    return [Case(f"{i}", score, near, 1.0, digit, digit, 1.0) for i, (score, near, digit) in enumerate(columns)]


def test_the_fit_finds_the_odds_that_cases_were_drawn_with() -> None:
    table = CaseColumns.of(_cases(20_000))

    intercept, score, company = fit_odds(table, np.ones(20_000, bool))

    # Two normal distributions with equal deviations: log odds = (5 - 2) * (x - 3.5).
    assert score == pytest.approx(3, abs=0.15)
    assert intercept == pytest.approx(-10.5, abs=0.5)
    assert company == pytest.approx(0, abs=0.1)


def test_what_is_judged_had_no_part_in_its_fit_and_is_calibrated() -> None:
    table = CaseColumns.of(_cases(20_000))

    assert measure_weighted_error(estimate_held_out(table), table.is_digit, table.weights) < 0.02


def test_pictures_are_in_one_fold_each_and_digits_weigh_as_much_as_others() -> None:
    cases = [replace_picture(case, f"{i % 40}") for i, case in enumerate(_cases(400))]

    table = CaseColumns.of(cases)

    folds = {case.picture: set() for case in cases}
    for case, fold in zip(cases, table.fold.tolist(), strict=True):
        folds[case.picture].add(fold)
    assert all(len(one) == 1 for one in folds.values())
    assert table.weights[table.is_digit].sum() == pytest.approx(table.weights[~table.is_digit].sum())


def replace_picture(case: Case, picture: str) -> Case:
    return Case(picture, *[getattr(case, name) for name in Case.__dataclass_fields__ if name != "picture"])


def test_few_cases_show_little() -> None:
    few, many = (find_highest(CaseColumns.of(_cases(count))) for count in (20, 2000))

    assert few < 0.95 < many < 0.9995


# --- the command ---


def test_a_fit_goes_into_the_card_of_any_bundle_and_nothing_else_changes(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(SHIPPED.parent / "nano", bundle)
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    _draw_scenes(scenes, 8)

    result = CliRunner().invoke(
        main, ["measure", "confidence", str(scenes), "--model", str(bundle), "--write", "--json", "--pages", "12",
               "--out", str(tmp_path / "out")],
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    after = {path.name: path.read_bytes() for path in bundle.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"card.json"}
    assert before.keys() == after.keys()
    card = open_bundle(bundle).card
    assert card.schema_version == SCHEMA_VERSION
    assert msgspec.to_builtins(card.export.abstention.digit_odds) == json.loads(result.stdout)["odds"]  # type: ignore[union-attr]
    assert (tmp_path / "out" / "confidence.md").read_text().startswith("# Confidence of nano")


def test_a_folder_without_pictures_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["measure", "confidence", str(tmp_path), "--out", str(tmp_path / "out")])

    assert result.exit_code == 1
    assert "expected at least 5 pictures without digits, found 0" in result.output


def _draw_scenes(folder: Path, count: int) -> None:
    """Straight strokes here and there, some of which are read as 1s."""
    random = np.random.default_rng(1)
    for i in range(count):
        scene = np.full((300, 400), 210, np.uint8)
        for _ in range(8):
            x, y, down, across = random.integers((20, 20, 30, -8), (380, 200, 90, 9)).tolist()
            cv2.line(scene, (x, y), (x + across, y + down), 60, 4, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"{i}.png"), scene)
