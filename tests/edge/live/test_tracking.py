"""Digits followed over frames: announced soon, and nothing that flickers."""

import time

import numpy as np
import pytest

from edge_mnist.edge.live.matching import Places, match
from edge_mnist.edge.live.tracking import PATIENCE, TrackedFrame, Tracker
from edge_mnist.edge.reading.reader import Digit, Reading
from tests.stand_ins.faulty_camera import make_reading

PAGE = ("1247", "89", "30156")
# From a digit's first frame to the one that announces it.
LATEST = 2


def follow(*readings: Reading) -> list[TrackedFrame]:
    tracker = Tracker()
    return [tracker.update(reading) for reading in readings]


def without(reading: Reading, *missing: int) -> Reading:
    """Some digits are not seen."""
    left = iter([None if i in missing else digit for i, digit in enumerate(reading.digits)])
    rows = [[digit for _ in row if (digit := next(left)) is not None] for row in reading.rows]
    return _reading(rows)


def misread(reading: Reading, index: int, digit: int, confidence: float = 0.99) -> Reading:
    """One digit is taken for another."""
    digits = list(reading.digits)
    digits[index] = Digit(digit, confidence, 5.0, digits[index].box)
    order = iter(digits)
    return _reading([[next(order) for _ in row] for row in reading.rows])


def _reading(rows: list[list[Digit]]) -> Reading:
    kept = [row for row in rows if row]
    return Reading(
        tuple("".join(str(digit.digit) for digit in row) for row in kept),
        tuple(digit for row in kept for digit in row),
        {},
    )


def numbers(followed: TrackedFrame) -> list[int]:
    return [track.number for track in followed.tracks]


def test_a_page_is_announced_with_its_second_frame_and_only_once():
    steps = follow(*[make_reading(PAGE)] * 5)

    assert [step.rows for step in steps] == [(), PAGE, PAGE, PAGE, PAGE]
    assert [step.is_new for step in steps] == [False, True, False, False, False]
    assert [track.stable for track in steps[0].tracks] == [False] * 11
    assert [str(track.digit.digit) for track in steps[-1].tracks] == list("".join(PAGE))


def test_a_digit_seen_once_is_not_announced():
    page = make_reading(PAGE)
    tracker = Tracker()
    for _ in range(4):
        tracker.update(page)

    steps = [tracker.update(make_reading((*PAGE, "6"))), *(tracker.update(page) for _ in range(4))]

    assert not any(step.is_new for step in steps)


@pytest.mark.parametrize("gap", range(1, PATIENCE + 1))
def test_digits_missing_for_a_frame_or_two_stay_in_their_places(gap: int):
    page = make_reading(PAGE)

    steps = follow(page, page, *[without(page, 0, 5, 8)] * gap, page, page)

    assert {step.rows for step in steps[1:]} == {PAGE}
    assert set(numbers(steps[-1])) == set(range(11))


def test_an_unreadable_frame_changes_nothing():
    page = make_reading(PAGE)

    steps = follow(page, page, make_reading(()), page)

    assert steps[2].rows == steps[3].rows == PAGE


def test_digits_that_are_gone_are_soon_announced_to_be():
    page = make_reading(PAGE)

    steps = follow(page, page, *[without(page, 3)] * (PATIENCE + 1))

    assert steps[-2].rows == PAGE
    assert steps[-1].rows == ("124", "89", "30156")


def test_a_digit_misread_in_one_frame_changes_nothing():
    page = make_reading(PAGE)

    steps = follow(page, page, misread(page, 2, 9), page, misread(page, 2, 9), page)

    assert {step.rows for step in steps[1:]} == {PAGE}
    wrong = steps[2].tracks[2].digit
    assert wrong.digit == 4
    assert wrong.confidence < steps[1].tracks[2].digit.confidence, "it is less sure"


@pytest.mark.parametrize("confidence", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("before", [2, 3, 50])
def test_a_digit_that_changes_in_its_place_is_announced_in_time(before: int, confidence: float):
    """As a counter's does."""
    page = make_reading(PAGE)

    steps = follow(*[page] * before, *[misread(page, 3, 8, confidence)] * (LATEST + 1))

    assert steps[-1].rows == ("1248", "89", "30156")
    assert sum(step.is_new for step in steps) == 2


def test_two_digits_seen_in_turns_do_not_take_turns_being_announced():
    page = make_reading(PAGE)

    steps = follow(page, page, *[misread(page, 0, 7), page] * 20)

    assert sum(step.is_new for step in steps) == 1


@pytest.mark.parametrize("shift", [(4, 3), (30, 0), (-60, 25), (0, 50), (200, 150)], ids=str)
def test_a_page_that_moves_is_the_same_page(shift: tuple[int, int]):
    """By less than digits stand apart, by a whole digit, by a row, or at once across the frame."""
    steps = follow(*[make_reading(PAGE)] * 2, make_reading(PAGE, shift), make_reading(PAGE, shift))

    assert numbers(steps[2]) == numbers(steps[1]) == list(range(11))
    assert {step.rows for step in steps[1:]} == {PAGE}


def test_a_moving_page_may_lose_digits_on_its_way():
    steps = follow(*[make_reading(PAGE)] * 2, *(without(make_reading(PAGE, (9 * k, 5 * k)), k % 11) for k in range(60)))

    assert {step.rows for step in steps[1:]} == {PAGE}
    assert set(numbers(steps[-1])) == set(range(11))


def test_another_page_is_never_mixed_with_the_one_before():
    other = make_reading(("55", "706"), (120, 77))

    steps = follow(*[make_reading(PAGE)] * 3, other, other, other)

    assert [step.rows for step in steps[3:]] == [PAGE, ("55", "706"), ("55", "706")]


def test_a_row_that_falls_into_two_for_a_frame_changes_nothing():
    page = make_reading(("1247",))
    split = Reading(("12", "47"), page.digits, {})

    steps = follow(page, page, split, page, split, split)

    assert [step.rows for step in steps[1:]] == [("1247",)] * 4 + [("12", "47")]


def test_numbers_are_never_used_again():
    tracker = Tracker()
    seen: list[set[int]] = []
    for k in range(40):
        tracker.forget()
        seen.append(set(numbers(tracker.update(make_reading(PAGE, (k, 0))))))

    assert len(set.union(*seen)) == 40 * 11


def disturb(reading: Reading, frame: int, fine_until: list[int], random: np.random.Generator) -> Reading:
    """Some digits are misread or missing, none in two frames of three; and something seen is no digit at all."""
    faulty = [i for i in range(11) if frame >= fine_until[i] and random.random() < 0.15]
    for i in faulty:
        fine_until[i] = frame + 3
    missing = [i for i in faulty if random.random() < 0.5]
    for i in set(faulty) - set(missing):
        reading = misread(reading, i, int(random.integers(10)), random.uniform(0.1, 1))
    ghost = make_reading(("5",), (400 + 60 * (frame % 5), int(random.integers(300))))
    seen = without(reading, *missing)
    return Reading((*seen.rows, "5"), (*seen.digits, *ghost.digits), {})


@pytest.mark.parametrize("seed", range(8))
def test_noise_on_a_moving_page_is_not_announced(seed: int):
    random = np.random.default_rng(seed)
    tracker, fine_until, place = Tracker(), [3] * 11, np.zeros(2)
    announced = []

    for frame in range(150):
        place += random.normal(0, 6, 2)
        page = make_reading(PAGE, (int(place[0]), int(place[1])))
        announced.append(tracker.update(disturb(page, frame, fine_until, random)).rows)

    assert set(announced[1:]) == {PAGE}


@pytest.mark.parametrize("seed", range(3))
def test_any_readings_at_all_are_followed(seed: int):
    """Random ones: rows and digits that come and go as they like."""
    random = np.random.default_rng(seed)
    tracker = Tracker()
    gone: set[int] = set()
    alive: set[int] = set()
    for _ in range(300):
        rows = ["".join(map(str, random.integers(0, 10, random.integers(1, 6)))) for _ in range(random.integers(0, 4))]
        reading = make_reading(tuple(rows), tuple(random.integers(-20, 20, 2).tolist()), random.uniform(0.1, 1))

        followed = tracker.update(reading)

        now = set(numbers(followed))
        assert len(now) == len(followed.tracks)
        assert not now & gone
        gone |= alive - now
        alive = now
        assert sum(map(len, followed.rows)) <= len(followed.tracks)
        assert all(0 < track.digit.confidence <= 1 for track in followed.tracks)
        assert {digit.box for digit in reading.digits} <= {track.digit.box for track in followed.tracks}


def test_the_nearest_are_paired_and_the_same_digit_wins():
    before = Places.gather([(100, 100, 40, 3), (140, 100, 40, 8)])
    now = Places.gather([(115, 100, 40, 8), (131, 100, 40, 3), (300, 100, 40, 5)])

    pairs, shift = match(before, now, np.zeros(2))

    assert sorted(pairs) == [(0, 0), (1, 1)]
    assert shift.tolist() == [0, 0]


def test_nothing_matches_nothing():
    none, some = Places.gather([]), Places.gather([(1, 2, 3, 4)])

    assert match(none, some, np.zeros(2))[0] == match(some, none, np.zeros(2))[0] == []


def test_two_hundred_digits_are_followed_in_a_few_milliseconds():
    """0.6 ms, 1 ms when they move; the bound is for a machine that has other things to do."""
    rows = tuple("3141592653589793238462643383279502884197"[i : i + 20] for i in range(10))
    pages = [make_reading(rows, (k % 3 * 35, 0)) for k in range(60)]
    tracker, spent = Tracker(), []

    for page in pages:
        began = time.thread_time()
        tracker.update(page)
        spent.append(time.thread_time() - began)

    assert np.median(spent) < 0.01
    assert tracker._count == 200
