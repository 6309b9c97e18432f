"""SciPy's figures beside the textbook's formulas, written out; and what is not SciPy's beside SciPy."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from edge_mnist.benchmarks.measuring.validity import STUDENT
from edge_mnist.benchmarks.results.peer_inputs import CERTAINTY, check_input
from edge_mnist.benchmarks.statistics.quantiles import typical_quantile
from edge_mnist.benchmarks.statistics.ranks import mann_whitney_p, u_probabilities
from edge_mnist.benchmarks.statistics.selective import measure_auroc
from edge_mnist.edge.common.statistics import Z_95, mcnemar_p, wilson_interval


@pytest.mark.parametrize(("correct", "count"), [(0, 10), (10, 10), (9_956, 10_000), (1, 3), (10_000, 10_000)])
def test_wilsons_interval_is_his_formula(correct: int, count: int) -> None:
    share = correct / count
    centre = share + Z_95**2 / (2 * count)
    spread = Z_95 * math.sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2))
    ends = [(centre + sign * spread) / (1 + Z_95**2 / count) for sign in (-1, 1)]

    assert wilson_interval(correct, count) == pytest.approx(ends, abs=1e-12)


@pytest.mark.parametrize(("correct", "count"), [(1, 0), (-1, 5), (6, 5)])
def test_wilsons_interval_refuses_impossible_counts(correct: int, count: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        wilson_interval(correct, count)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (5, 5), (1, 9), (30, 12), (400, 330)])
def test_mcnemars_p_is_that_of_counted_coins(first: int, second: int) -> None:
    tail = sum(math.comb(first + second, k) for k in range(min(first, second) + 1))

    assert mcnemar_p(first, second) == pytest.approx(min(1.0, 2 * tail / 2 ** (first + second)), rel=1e-11)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (5, 5), (12, 30)])
def test_mann_whitneys_p_is_counted_for_few_values(n: int, m: int) -> None:
    random = np.random.default_rng(4)
    first, second = random.normal(size=n), random.normal(0.4, size=m)
    u = int((second[:, None] > first).sum())

    assert mann_whitney_p(first, second) == pytest.approx(
        min(1, 2 * sum(u_probabilities(n, m)[: min(u, n * m - u) + 1]))
    )
    assert mann_whitney_p(first, second) == pytest.approx(mann_whitney_p(second, first))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.array([1, 2, 2, 3, 3, 3, 5.0]), np.array([2, 3, 4, 4, 5, 5.0])),
        (np.arange(31.0), np.arange(8) + 17.5),
        (np.linspace(0, 1, 200), np.linspace(0.05, 1.1, 300)),
    ],
    ids=["ties", "31 values", "many"],
)
def test_mann_whitneys_p_is_normal_for_many_values_and_for_ties(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    n, m = len(first), len(second)
    u = (second[:, None] > first).sum() + (second[:, None] == first).sum() / 2
    _, ties = np.unique(np.concatenate([first, second]), return_counts=True)
    tied = (ties**3 - ties).sum() / ((n + m) * (n + m - 1))
    z = (abs(u - n * m / 2) - 0.5) / math.sqrt(n * m / 12 * (n + m + 1 - tied))

    assert mann_whitney_p(first, second) == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_a_sample_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0 and 3"):
        mann_whitney_p(np.empty(0), np.ones(3))


def test_the_auroc_of_ten_thousand_is_as_exact_as_that_of_ten() -> None:
    random = np.random.default_rng(5)
    digits, others = random.random(10_000).astype(np.float32), random.random(9_000).astype(np.float32) - 0.2
    ordered = np.sort(others)
    halves = np.searchsorted(ordered, digits, "left").sum() + np.searchsorted(ordered, digits, "right").sum()

    assert measure_auroc(digits, others) == pytest.approx(halves / (2 * 10_000 * 9_000), abs=1e-15)


@pytest.mark.parametrize(("processes", "quantile"), [(3, 4.302653), (4, 3.182446), (5, 2.776445), (11, 2.228139)])
def test_a_medians_interval_has_students_quantile_of_the_tables(processes: int, quantile: float) -> None:
    medians = 100 * np.exp(np.random.default_rng(6).normal(0, 0.01, processes))

    low, high = typical_quantile([np.full(9, median) for median in medians], 0.5).interval

    error = np.log(medians).std(ddof=1) / math.sqrt(processes)
    assert math.log(high / low) / 2 / error == pytest.approx(quantile, abs=1e-6)


def test_the_quantiles_of_a_machine_without_scipy_are_scipys() -> None:
    assert pytest.approx(stats.t.ppf(0.975, np.arange(2, 2 + len(STUDENT))), abs=5e-4) == STUDENT


@pytest.mark.parametrize("lost", range(4))
def test_a_peers_convention_is_judged_by_mcnemars_p_without_scipy(lost: int) -> None:
    labels = np.zeros(100, np.uint8)
    judged = {}
    for gained in range(lost + 1, 40):
        # By the stated convention, `gained` images are wrong that the other one reads; `lost` the other way round.
        stated = [1] * gained + [0] * (100 - gained)
        other = [0] * (100 - lost) + [1] * lost
        judged[gained] = check_input("float01", {"float01": stated, "uint8": other}, labels).better == "uint8"

    assert judged == {gained: mcnemar_p(gained, lost) < CERTAINTY for gained in judged}
    assert set(judged.values()) == {True, False}
