"""A benchmark's statistics as an instrument: they cover what they claim, and raise few false alarms."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from edge_mnist.benchmarks.statistics.paired import bootstrap_mean, correct_holm, measure_drop
from edge_mnist.benchmarks.statistics.quantiles import typical_quantile
from edge_mnist.benchmarks.statistics.ranks import exceedance, mann_whitney_p, measure_shift, u_probabilities
from edge_mnist.benchmarks.statistics.slowdowns import compare_rounds
from edge_mnist.edge.common.statistics import paired_interval, wilson_interval

# How many of 200 comparisons of a target with itself may come out as slower or faster: 5 %.
COMPARISONS, MOST_FALSE_ALARMS = 200, 10
# Of 1,000 simulations at 95 %, fewer than so many that cover are 4 deviations off.
SIMULATIONS, FEWEST_COVERED = 1000, 922
# Permeability of membranes at term and at 12 to 26 weeks: the example of M. Hollander and D. A. Wolfe,
# "Nonparametric statistical methods", that R's wilcox.test has in its documentation.
AT_TERM = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
EARLIER = np.array([1.15, 0.88, 0.90, 0.74, 1.21])


def test_accuracy_intervals_cover_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(1)

    covered = []
    for truth in random.uniform(0.9, 0.999, SIMULATIONS):
        low, high = wilson_interval(int(random.binomial(10_000, truth)), 10_000)
        covered.append(low <= truth <= high)

    assert FEWEST_COVERED <= sum(covered) <= 978


def _outcomes(only_first: int, only_second: int, both: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    first = np.repeat([True, False, True], [only_first, only_second, both])
    return first, np.repeat([False, True, True], [only_first, only_second, both])


def test_known_flips_give_the_textbook_p() -> None:
    drop = measure_drop(*_outcomes(10, 2, 988))

    # Twelve coins, ten of them heads or more, or as few: 2 * (1 + 12 + 66) / 4096.
    assert drop.p == pytest.approx(158 / 4096)
    assert (drop.only_first, drop.only_second, drop.points) == (10, 2, pytest.approx(0.8))
    assert drop.measurable
    assert 0 < drop.interval[0] < 0.8 < drop.interval[1] < 1.7
    gain = measure_drop(*_outcomes(2, 10, 988))
    assert (gain.points, gain.p) == (pytest.approx(-0.8), drop.p)


def test_files_that_never_differ_have_no_measurable_drop() -> None:
    drop = measure_drop(*_outcomes(0, 0, 50))

    assert (drop.points, drop.p, drop.measurable) == (0, 1, False)


def test_no_flip_of_4000_still_allows_a_tenth_of_a_point() -> None:
    low, high = measure_drop(*_outcomes(0, 0, 4000)).interval

    # Clopper and Pearson's one-sided bound for zero of 4,000 is 0.075 points at 95 %, 0.092 at 97.5 %.
    assert 0.075 < high < 0.12
    assert low == pytest.approx(-high)


@pytest.mark.parametrize(
    ("only_first", "only_second", "count"), [(0, 0, 1), (9, 0, 9), (0, 9, 9), (3, 1, 4), (5, 5, 900)]
)
def test_the_ends_of_a_drops_interval_are_where_tangos_score_says(
    only_first: int, only_second: int, count: int
) -> None:
    ends = paired_interval(only_first, only_second, count)

    assert -1 <= ends[0] <= (only_first - only_second) / count <= ends[1] <= 1
    for end in ends:
        if abs(end) < 1 - 1e-9:
            assert abs(_tango_score(only_first, only_second, count, end)) == pytest.approx(1.96, abs=0.001)


def _tango_score(only_first: int, only_second: int, count: int, difference: float) -> float:
    """Tango's score, its nuisance probability found by maximizing the likelihood instead of by formula."""

    def loss(probability: float) -> float:
        shares = np.array([probability + difference, probability, 1 - 2 * probability - difference])
        counts = np.array([only_first, only_second, count - only_first - only_second])
        seen = counts > 0
        return -float((counts[seen] * np.log(np.clip(shares[seen], 1e-300, None))).sum())

    least, most = max(0.0, -difference), (1 - difference) / 2
    likely = optimize.minimize_scalar(loss, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x
    variance = count * (2 * likely + difference * (1 - difference))
    return (only_first - only_second - count * difference) / np.sqrt(variance)


def test_drops_of_different_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        measure_drop(np.ones(2, np.bool_), np.ones(3, np.bool_))
    with pytest.raises(ValueError, match="of the same images"):
        measure_drop(np.ones(0, np.bool_), np.ones(0, np.bool_))


def test_resampling_gives_scipys_interval() -> None:
    values = np.repeat([100.0, -100.0, 0.0], [40, 25, 1935])

    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, batch=100, rng=2)

    interval = expected.confidence_interval
    # Both are of 4,000 resamples; an end has a deviation of about 0.02 points.
    assert bootstrap_mean(values, 1) == pytest.approx((interval.low, interval.high), abs=0.08)


@pytest.mark.parametrize(
    ("loses", "gains"), [(0.006, 0.004), (0.002, 0.001), (0.0002, 0.0002), (0.0005, 0.0), (0.00005, 0.00005)]
)
def test_drop_intervals_cover_the_truth_as_often_as_they_say(loses: float, gains: float) -> None:
    random = np.random.default_rng(2)

    covered = 0
    for only_first, only_second, _ in random.multinomial(10_000, [loses, gains, 1 - loses - gains], SIMULATIONS):
        low, high = paired_interval(int(only_first), int(only_second), 10_000)
        covered += low <= loses - gains <= high

    assert covered >= FEWEST_COVERED


def test_equal_files_seldom_have_a_measurable_drop() -> None:
    random = np.random.default_rng(3)

    alarms = sum(
        measure_drop(*_outcomes(*random.multinomial(10_000, [0.002, 0.002, 0.996]))).measurable
        for _ in range(COMPARISONS)
    )

    assert alarms <= MOST_FALSE_ALARMS


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.5, 0.6], [1, 1]), ([0.02], [0.02]), ([], [])],
)
def test_holms_correction_is_that_of_the_textbook(p_values: list[float], corrected: list[float]) -> None:
    assert correct_holm(p_values) == pytest.approx(corrected)


def test_mann_whitney_is_that_of_the_textbook() -> None:
    # W = 35, and 0.1272 for the one-sided question.
    assert exceedance(EARLIER, AT_TERM) * 50 == pytest.approx(35)
    assert mann_whitney_p(EARLIER, AT_TERM) == pytest.approx(2 * 0.1272, abs=1e-4)
    assert measure_shift(EARLIER, AT_TERM).shift == pytest.approx(0.305)


def test_equal_values_do_not_differ_and_ties_count_half() -> None:
    assert mann_whitney_p(np.ones(4), np.ones(9)) == 1
    # 4 + 1 / 2 of six pairs.
    assert exceedance(np.array([1.0, 2]), np.array([2.0, 3, 1.5])) == pytest.approx(4.5 / 6)


def test_probabilities_of_u_are_a_symmetric_distribution() -> None:
    for n, m in [(1, 1), (2, 7), (5, 5), (30, 30)]:
        probabilities = np.array(u_probabilities(n, m))
        assert len(probabilities) == n * m + 1
        assert probabilities.sum() == pytest.approx(1)
        assert probabilities == pytest.approx(probabilities[::-1])


def test_intervals_of_shifts_leave_out_zero_exactly_where_ranks_differ() -> None:
    random = np.random.default_rng(5)

    seen = set()
    for _ in range(300):
        first, second = random.normal(size=5), random.normal(1.5, size=6)
        interval = measure_shift(first, second).interval
        assert interval is not None
        low, high = interval
        assert (not low <= 0 <= high) == (mann_whitney_p(first, second) <= 0.05)
        assert measure_shift(second, first).interval == (-high, -low)
        seen.add(low > 0)
    assert seen == {True, False}


@pytest.mark.parametrize("size", [5, 12, 60])
def test_intervals_of_shifts_cover_the_truth_as_often_as_they_say(size: int) -> None:
    random = np.random.default_rng(6)

    covered = 0
    for _ in range(SIMULATIONS):
        interval = measure_shift(random.gumbel(size=size), 0.7 + random.gumbel(size=size)).interval
        assert interval is not None
        covered += interval[0] <= 0.7 <= interval[1]

    # With five values of each, exact ones cover 96.8 %.
    assert FEWEST_COVERED <= covered <= 990


def test_too_few_or_too_many_values_for_a_shift() -> None:
    assert measure_shift(np.arange(3.0), np.arange(3.0) + 100).interval is None
    assert measure_shift(np.arange(4.0), np.arange(4.0) + 100).interval is not None
    with pytest.raises(ValueError, match="got 0 times 3"):
        measure_shift(np.empty(0), np.ones(3))
    with pytest.raises(ValueError, match="10,000,000 pairs"):
        measure_shift(np.ones(10_000), np.ones(1_001))


def _latencies(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """100 us plus noise, and a tail: one call in fifty takes three times as long."""
    tail = np.where(random.random(count) < 0.02, 3.0, 1.0)
    return tail * (100 + random.gamma(2, 2, count))


def _rounds(random: np.random.Generator, percent: float = 0, processes: int = 5) -> list[NDArray[np.float64]]:
    """Processes that are 1 % apart among themselves, 1,000 calls each."""
    factors = np.exp(random.normal(0, 0.01, processes)) * (1 + percent / 100)
    return [factor * _latencies(random, 1000) for factor in factors]


def _interval_of_calls(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the median of independent values, from their order alone."""
    low, high = stats.binom.interval(0.95, len(values), 0.5)
    ordered = np.sort(values)
    return float(ordered[int(low)]), float(ordered[int(high)])


def test_a_typical_process_is_within_its_interval() -> None:
    random = np.random.default_rng(8)
    truth = np.quantile(_latencies(random, 2_000_000), 0.5)

    intervals = [typical_quantile(_rounds(random), 0.5).interval for _ in range(SIMULATIONS)]
    naive = [_interval_of_calls(np.concatenate(_rounds(random))) for _ in range(100)]

    assert sum(low <= truth <= high for low, high in intervals) >= FEWEST_COVERED
    # All calls taken as independent would promise more than they hold.
    assert sum(low <= truth <= high for low, high in naive) < 50


def test_a_typical_process_is_the_geometric_mean_with_students_interval() -> None:
    medians = np.array([99.0, 100, 102, 97, 105])

    typical = typical_quantile([np.full(9, median) for median in medians], 0.5)

    logarithms = np.log(medians)
    expected = stats.t.interval(0.95, 4, loc=logarithms.mean(), scale=stats.sem(logarithms))
    assert typical.value == pytest.approx(stats.gmean(medians))
    assert typical.interval == pytest.approx(np.exp(expected), rel=1e-4)


def test_two_processes_are_too_few_for_a_typical_one() -> None:
    with pytest.raises(ValueError, match="at least 3 processes"):
        typical_quantile([np.ones(5), np.ones(5)], 0.5)
    with pytest.raises(ValueError, match="above 0"):
        typical_quantile([np.ones(5), np.ones(5), np.zeros(5)], 0.5)


def test_a_slowdown_of_5_percent_is_found_and_none_is_not() -> None:
    random = np.random.default_rng(9)

    same = [compare_rounds(_rounds(random), _rounds(random)) for _ in range(COMPARISONS)]
    slower = [compare_rounds(_rounds(random), _rounds(random, 5)) for _ in range(COMPARISONS)]

    assert sum(one.measurable for one in same) <= MOST_FALSE_ALARMS
    assert sum(one.measurable and one.percent > 0 for one in slower) >= 0.95 * COMPARISONS
    assert np.mean([one.percent for one in slower]) == pytest.approx(5, abs=0.25)
    covered = [one.interval_percent[0] <= 5 <= one.interval_percent[1] for one in slower if one.interval_percent]
    # Of 200 at 95 %, 177 are 4 deviations off.
    assert len(covered) == COMPARISONS
    assert sum(covered) >= 177


def test_no_number_of_processes_raises_more_than_5_percent_of_false_alarms() -> None:
    for n in range(2, 21):
        probabilities = np.array(u_probabilities(n, n))
        least = np.minimum(np.arange(n * n + 1), n * n - np.arange(n * n + 1))
        p_values = np.array([2 * probabilities[: u + 1].sum() for u in least])
        assert probabilities[p_values <= 0.05].sum() <= 0.05 + 1e-12


def test_calls_taken_as_independent_would_raise_false_alarms() -> None:
    random = np.random.default_rng(10)

    alarms = sum(
        mann_whitney_p(np.concatenate(_rounds(random)), np.concatenate(_rounds(random))) <= 0.05 for _ in range(40)
    )

    assert alarms > 10


def test_effects_are_those_of_the_second_target() -> None:
    fast = [np.full(9, 10.0) + i for i in range(4)]
    slow = [2 * one for one in fast]

    slowdown = compare_rounds(fast, slow)

    assert slowdown.percent == pytest.approx(100, abs=15)
    assert (slowdown.slower_share, slowdown.processes, slowdown.measurable) == (1, (4, 4), True)
    faster = compare_rounds(slow, fast)
    assert faster.percent == pytest.approx(-50, abs=5)
    assert faster.slower_share == 0


def test_few_processes_are_never_enough_to_tell_and_none_are_refused() -> None:
    few = compare_rounds([np.ones(9), 1 + np.ones(9)], [np.full(9, 8.0), np.full(9, 9.0)])

    assert (few.measurable, few.interval_percent) == (False, None)
    with pytest.raises(ValueError, match="of both targets"):
        compare_rounds([], [np.ones(3)])
    with pytest.raises(ValueError, match="above 0"):
        compare_rounds([np.zeros(3)], [np.ones(3)])
