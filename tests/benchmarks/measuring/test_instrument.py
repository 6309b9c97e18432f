"""The benchmark as an instrument: what is known beforehand comes out, and what is not there is not found.

Time is made up where that is possible, so that a busy machine changes nothing; the same functions time the real thing.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_mnist.benchmarks.measuring.rows import summarize_rounds
from edge_mnist.benchmarks.measuring.timing import (
    CAMERA_RATE_HZ,
    Clock,
    measure_timer_overhead_us,
    time_batch,
    time_paced,
    time_turns,
    warm_up,
)
from edge_mnist.benchmarks.statistics.paired import measure_drop
from edge_mnist.benchmarks.statistics.slowdowns import compare_rounds
from edge_mnist.edge.common.statistics import mcnemar_p, wilson_interval

IMAGES = np.zeros((5, 28, 28, 1), np.uint8)
SINGLES = [IMAGES[i : i + 1] for i in range(len(IMAGES))]
BODY_US, TAIL_US, TAIL_SHARE = 300.0, 2000.0, 0.05
# How far processes of one target lie apart, as a share: what fresh processes of LiteRT do on a quiet machine.
PROCESS_SPREAD = 0.01
CALL_SPREAD = 0.05


@dataclass
class MadeUpTime:
    """Goes forward only when something takes time."""

    now: int = 0
    slept: list[float] = field(default_factory=list)

    def spend(self, microseconds: float) -> None:
        self.now += round(1000 * microseconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(1e9 * seconds)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


def taking(made_up: MadeUpTime, durations_us: Iterator[float]) -> Callable[[NDArray[np.uint8]], object]:
    return lambda _image: made_up.spend(next(durations_us))


def draw_calls(random: np.random.Generator, slower: float = 1.0) -> Iterator[float]:
    """Calls of one process: its own speed, spread calls, and a tail of known share and place."""
    speed = slower * random.normal(1, PROCESS_SPREAD)
    while True:
        body = BODY_US * np.exp(random.normal(0, CALL_SPREAD))
        yield speed * (TAIL_US if random.random() < TAIL_SHARE else body)


def measure_processes(seed: int, processes: int = 5, calls: int = 1000, slower: float = 1.0) -> list[list[float]]:
    random, rounds = np.random.default_rng(seed), []
    for _ in range(processes):
        made_up = MadeUpTime()
        call = taking(made_up, draw_calls(random, slower))
        rounds.append(time_turns(call, taking(made_up, iter(lambda: 1.0, None)), SINGLES, calls, 60, made_up.clock)[0])
    return rounds


def test_a_known_distribution_is_recovered_within_its_interval() -> None:
    # Of the body, so many calls lie below the median of all.
    inner = 0.5 / (1 - TAIL_SHARE)
    true_p50 = BODY_US * np.exp(CALL_SPREAD * np.quantile(np.random.default_rng(0).normal(size=1_000_000), inner))

    found = [summarize_rounds(measure_processes(seed)) for seed in range(200)]
    covered = sum(one.p50_interval[0] <= true_p50 <= one.p50_interval[1] for one in found)

    # Of 200 intervals of 95 %, 190 are expected to hold it; with fewer than 180, the odds are a thousand to one.
    assert covered >= 180
    assert all(one.p50_interval[0] <= one.p50 <= one.p50_interval[1] for one in found)
    assert np.median([one.p50 for one in found]) == pytest.approx(true_p50, rel=0.002)


def test_a_known_tail_is_recovered() -> None:
    latency = summarize_rounds(measure_processes(seed=1))
    pooled = np.concatenate(latency.rounds)

    assert latency.p90 < 1.3 * BODY_US
    assert latency.p99 == pytest.approx(TAIL_US, rel=3 * PROCESS_SPREAD)
    assert latency.p99 == np.quantile(pooled, 0.99)
    assert (pooled > (BODY_US + TAIL_US) / 2).mean() == pytest.approx(TAIL_SHARE, abs=0.01)
    assert latency.max >= latency.p999 >= latency.p99


def test_five_percent_are_found_and_nothing_is_not() -> None:
    alarms, detections = 0, 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        first, second, slower = (_draw_rounds(random, factor) for factor in (1.0, 1.0, 1.05))
        alarms += compare_rounds(first, second).measurable
        detections += compare_rounds(first, slower).measurable

    assert alarms <= 10
    assert detections >= 190


def test_a_slowdown_is_measured_within_its_interval() -> None:
    covered = 0
    for seed in range(200):
        random = np.random.default_rng(1000 + seed)
        found = compare_rounds(_draw_rounds(random, 1.0), _draw_rounds(random, 1.05))
        assert found.interval_percent is not None
        covered += found.interval_percent[0] <= 5 <= found.interval_percent[1]

    assert covered >= 180


def _draw_rounds(random: np.random.Generator, slower: float, processes: int = 5) -> list[NDArray[np.float64]]:
    """The same target, drawn at once."""
    rounds = []
    for _ in range(processes):
        body = BODY_US * np.exp(random.normal(0, CALL_SPREAD, 1000))
        calls = np.where(random.random(1000) < TAIL_SHARE, TAIL_US, body)
        rounds.append(slower * random.normal(1, PROCESS_SPREAD) * calls)
    return rounds


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    # By hand: twice the lower tail of a coin thrown so often.
    [(1, 0, 1.0), (5, 0, 2 / 32), (6, 0, 2 / 64), (9, 1, 2 * 11 / 1024), (10, 10, 1.0)],
)
def test_known_flips_give_the_textbook_p(lost: int, gained: int, p: float) -> None:
    labels = np.zeros(1000, bool)
    first, second = ~labels, ~labels
    first[:gained] = False
    second[gained : gained + lost] = False

    drop = measure_drop(first, second)

    assert drop.p == pytest.approx(p)
    assert drop.p == mcnemar_p(lost, gained)
    assert (drop.only_first, drop.only_second, drop.points) == (lost, gained, pytest.approx((lost - gained) / 10))


@pytest.mark.parametrize("share", [0.9, 0.99, 0.9952])
def test_wilson_intervals_hold_the_true_share_nineteen_times_in_twenty(share: float) -> None:
    correct = np.random.default_rng(1).binomial(10_000, share, 4000)

    intervals = {count: wilson_interval(count, 10_000) for count in set(correct.tolist())}
    covered = [intervals[count][0] <= share <= intervals[count][1] for count in correct.tolist()]

    # Counts are whole numbers, so the coverage of one share lies a little above or below.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_the_clock_of_this_machine_is_finer_than_anything_measured() -> None:
    overhead_us = measure_timer_overhead_us()

    assert 0 < overhead_us < 10


def test_what_a_target_says_of_itself_is_what_is_measured() -> None:
    own_us: list[float] = []

    def call(_image: NDArray[np.uint8]) -> None:
        began = time.perf_counter_ns()
        while time.perf_counter_ns() - began < 200_000:
            pass
        own_us.append((time.perf_counter_ns() - began) / 1000)

    measured_us, _ = time_turns(call, lambda _image: None, SINGLES, calls=300, seconds=60)

    # Whatever else the machine does meanwhile hits both clocks, but for what falls between them.
    assert len(measured_us) == len(own_us) == 300
    assert all(measured >= own for measured, own in zip(measured_us, own_us, strict=True))
    assert np.median(np.subtract(measured_us, own_us)) < 50


def test_both_ways_take_turns_on_the_same_images_and_begin_alternately() -> None:
    made_up, order = MadeUpTime(), []

    def note(name: str) -> Callable[[NDArray[np.uint8]], object]:
        return lambda image: (order.append((name, int(image[0, 0, 0, 0]))), made_up.spend(10))

    images = [np.full((1, 28, 28, 1), i, np.uint8) for i in range(3)]
    ours, bare = time_turns(note("ours"), note("bare"), images, calls=12, seconds=60, clock=made_up.clock)

    assert order[:6] == [("ours", 0), ("bare", 0), ("bare", 1), ("ours", 1), ("ours", 2), ("bare", 2)]
    assert ours == bare == [10.0] * 12


def test_a_slow_target_ends_when_its_time_is_over_but_not_before_ten_calls() -> None:
    made_up = MadeUpTime()
    second_each = taking(made_up, iter(lambda: 1e6, None))
    instant = taking(made_up, iter(lambda: 1.0, None))

    few, _ = time_turns(second_each, instant, SINGLES, calls=1000, seconds=3, clock=made_up.clock)
    more, _ = time_turns(second_each, instant, SINGLES, calls=1000, seconds=15.5, clock=made_up.clock)

    assert (len(few), len(more)) == (10, 16)


def test_paced_calls_begin_when_a_camera_has_a_frame() -> None:
    made_up = MadeUpTime()
    # The third one takes two frames' time: the next begins at once, and the one after that is on time again.
    durations = iter([5_000.0, 5_000.0, 60_000.0, 5_000.0, 5_000.0])

    latencies = time_paced(taking(made_up, durations), SINGLES, calls=5, clock=made_up.clock)

    assert latencies == [5_000, 5_000, 60_000, 5_000, 5_000]
    frame = 1 / CAMERA_RATE_HZ
    assert made_up.slept == pytest.approx(
        [0, frame - 0.005, frame - 0.005, 0, 4 * frame - (2 * frame + 0.065)], abs=1e-6
    )


def test_a_batch_has_as_many_images_as_it_says() -> None:
    made_up, sizes = MadeUpTime(), []

    def call(images: NDArray[np.uint8]) -> None:
        sizes.append(len(images))
        made_up.spend(10 * len(images))

    latencies = time_batch(call, IMAGES, batch=8, calls=20, seconds=60, clock=made_up.clock)

    assert latencies == [80.0] * 20
    assert set(sizes) == {8}


def test_warming_up_lasts_until_latencies_stay() -> None:
    made_up = MadeUpTime()
    # A compiler that needs 300 calls of 3 ms, and 1 ms from then on.
    durations = iter([3000.0] * 100 + [2500.0] * 100 + [2000.0] * 100 + [1000.0] * 10_000)

    warmup = warm_up(lambda: made_up.spend(next(durations)), 60, lambda: made_up.now / 1e9)

    assert warmup.steady
    assert 0.3 <= warmup.seconds < 1.2


def test_what_never_gets_steady_is_said() -> None:
    made_up = MadeUpTime()
    # Its clock steps from window to window.
    call = lambda: made_up.spend(1000 if made_up.now // 100_000_000 % 2 else 3000)  # noqa: E731

    warmup = warm_up(call, 2.0, lambda: made_up.now / 1e9)

    assert not warmup.steady
    assert 2.0 <= warmup.seconds < 2.5


@pytest.mark.parametrize(
    "rounds",
    [[[1.0], [2.0]], [[1.0], [], [2.0]], [[0.0], [1.0], [2.0]]],
    ids=["two processes", "one without calls", "no time"],
)
def test_too_little_for_an_interval_is_refused(rounds: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"expected (latencies|medians)"):
        summarize_rounds(rounds)
