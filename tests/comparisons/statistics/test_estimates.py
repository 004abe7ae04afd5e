"""What paired scores say: against numpy and scipy, and for failures and scores without variance."""

import math

import numpy as np
import pytest
from scipy import stats

from lab.comparisons.statistics import estimates
from lab.comparisons.statistics.estimates import Moments, differences, interval, moments, seen


def test_a_pair_is_arm_minus_control() -> None:
    assert differences([(0.9, 0.8), (0.5, 0.75)], True) == pytest.approx([0.1, -0.25])


@pytest.mark.parametrize("better", [1, -1])
def test_a_failure_loses_by_the_largest_difference_seen(better: int) -> None:
    pairs = [(better * 0.9, better * 0.8), (None, better * 0.8), (better * 0.7, better * 0.75), (better * 0.7, None)]
    found = differences(pairs, better == 1)
    assert found * better == pytest.approx([0.1, -0.1, -0.05, 0.1])


@pytest.mark.parametrize("better", [1, -1])
def test_a_failure_is_no_better_than_the_worst_score_seen(better: int) -> None:
    pairs = [(better * 0.5, better * 0.45), (None, better * 0.9), (better * 0.8, None)]
    assert differences(pairs, better == 1) * better == pytest.approx([0.05, -0.45, 0.35])


def test_two_failures_tie() -> None:
    assert differences([(0.9, 0.8), (None, None)], True) == pytest.approx([0.1, 0.0])


def test_where_no_pair_is_whole_a_failure_loses_by_the_spread_the_resolution_or_one() -> None:
    assert differences([(None, 0.9), (None, 0.7)], True) == pytest.approx([-0.2, -0.2])
    assert differences([(None, 0.9)], True, 0.01) == pytest.approx([-0.01])
    assert differences([(None, 0.9), (0.9, None)], True) == pytest.approx([-1.0, 1.0])
    assert differences([(None, None)], True) == pytest.approx([0.0])


def test_what_a_failure_counts_rests_on_the_scores_up_to_then() -> None:
    pairs = [(0.9, 0.8), (None, 0.8), (0.3, 0.8)]
    assert seen(pairs, True).mean == pytest.approx([0.1, 0.0, (0.1 - 0.5 - 0.5) / 3])


def test_moments_are_those_of_numpy_and_scipy_after_every_seed() -> None:
    draws = np.random.default_rng(0).exponential(size=(3, 12)) * 0.1 + 5
    found = moments(draws)
    for n in range(2, 13):
        part = draws[:, :n]
        assert found.n[n - 1] == n
        assert found.mean[:, n - 1] == pytest.approx(part.mean(1))
        assert found.deviation[:, n - 1] == pytest.approx(part.std(1, ddof=1))
        if n > 2:
            assert found.skewness[:, n - 1] == pytest.approx(stats.skew(part, axis=1, bias=False))
    assert np.isinf(found.deviation[:, 0]).all()
    assert (found.skewness[:, :2] == 0).all()


def test_scores_with_a_known_step_have_at_least_the_deviation_of_rounding() -> None:
    assert moments(np.full(5, 0.02), resolution=0.01).deviation[4] == pytest.approx(0.01 / math.sqrt(6))
    spread = moments(np.array([0.0, 0.5, 1.0]), resolution=0.01)
    assert spread.deviation[2] == pytest.approx(0.5)


def test_differences_that_are_all_the_same_are_taken_to_move_in_steps_of_their_size_or_of_the_margin() -> None:
    assert moments(np.full(5, 0.3)).deviation[4] == pytest.approx(0.3 / math.sqrt(6))
    assert moments(np.full(5, -0.3), margin=0.6).deviation[4] == pytest.approx(0.6 / math.sqrt(6))
    assert moments(np.zeros(5)).deviation[4] == 0


def test_differences_that_differ_by_rounding_alone_are_all_the_same() -> None:
    rounded = np.array([0.3 - 0.2, 1.1 - 1.0, 0.9 - 0.8, 0.4 - 0.3])
    assert len(set(rounded)) > 1
    found = moments(rounded)
    assert found.deviation[3] == pytest.approx(0.1 / math.sqrt(6))
    assert found.skewness[3] == 0


def test_the_interval_of_symmetric_differences_is_mean_and_half_width() -> None:
    low, high = interval(Moments(*map(np.array, ([4.0], [1.0], [0.5], [0.0]))), np.array([3.0]))
    assert (low[0], high[0]) == pytest.approx((0.25, 1.75))


@pytest.mark.parametrize("skewness", [0.4, -0.4])
def test_the_interval_is_longer_on_the_side_of_the_tail_alone(skewness: float) -> None:
    low, high = interval(Moments(*map(np.array, ([4.0], [1.0], [0.5], [skewness]))), np.array([3.0]))
    near, far = 0.25 * 3, 0.25 * (3 + 0.4 / 2 * 27)
    assert (1 - low[0], high[0] - 1) == pytest.approx((near, far) if skewness > 0 else (far, near))


def test_the_allowance_is_more_than_the_first_order_correction_of_johnson_and_hall() -> None:
    """c + skewness / √n × (1 + 2c²) / 6, for the critical values that occur."""
    for c in np.linspace(1.9, 15, 50):
        _, high = interval(Moments(*map(np.array, ([9.0], [0.0], [3.0], [0.6]))), np.array([c]))
        assert high[0] > c + 0.6 / 3 * (1 + 2 * c**2) / 6


@pytest.mark.parametrize(("n", "deviation", "critical"), [(5.0, 0.0, 3.0), (1.0, math.inf, 3.0), (5.0, 1.0, math.inf)])
def test_without_a_deviation_or_a_look_the_interval_is_infinite(n: float, deviation: float, critical: float) -> None:
    low, high = interval(Moments(*map(np.array, ([n], [0.2], [deviation], [0.5]))), np.array([critical]))
    assert (low[0], high[0]) == (-math.inf, math.inf)


def test_an_interval_that_ends_at_0_or_at_the_margin_decides_nothing() -> None:
    low, high = np.array([-0.2, 0.0, 0.1, -0.3]), np.array([0.2, 0.3, 0.3, -0.1])
    assert estimates.excludes_0(low, high).tolist() == [False, False, True, True]
    assert estimates.excludes_0(-high, -low).tolist() == [False, False, True, True]
    assert estimates.inside(low, high, 0.3).tolist() == [True, False, False, False]
    assert estimates.inside(low, high, 0.31).all()


def test_the_paired_t_interval_is_scipys() -> None:
    values = np.array([0.1, 0.3, -0.2, 0.5])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = estimates.paired_t(4, float(values.mean()), float(values.std(ddof=1)), 0.1)
    assert found == pytest.approx((expected.low, expected.high))
    assert estimates.paired_t(2, 1.0, 0.5, 0.1) == pytest.approx(
        (1 - 6.3138 * 0.5 / 2**0.5, 1 + 6.3138 * 0.5 / 2**0.5), abs=1e-3
    )
    assert estimates.paired_t(1, 1.0, math.inf, 0.1) == (-math.inf, math.inf)
    assert estimates.paired_t(5, 0.0, 0.0, 0.1) == (-math.inf, math.inf)


def test_welchs_interval_is_that_of_its_formula() -> None:
    arm, control = [1.0, 1.2, 1.1], [0.5, 0.4, 0.9, 0.6]
    parts = [np.var(scores, ddof=1) / len(scores) for scores in (arm, control)]
    nu = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3)
    half = stats.t.isf(0.025, nu) * math.sqrt(sum(parts))
    assert estimates.welch(arm, control, 0.05) == pytest.approx((0.5, 0.5 - half, 0.5 + half))


def test_superiority_counts_ties_half_and_failures_as_losses() -> None:
    pairs = [(0.9, 0.8), (0.8, 0.8), (None, 0.8), (0.7, None), (None, None)]
    assert estimates.superiority(pairs, True) == pytest.approx((1 + 0.5 + 0 + 1 + 0.5) / 5)
    assert estimates.superiority(pairs[:1], False) == 0.0
    assert math.isnan(estimates.superiority([], True))


@pytest.mark.parametrize(("failed", "n"), [(1, 5), (3, 30), (29, 30)])
def test_the_interval_of_the_share_of_failures_is_scipys(failed: int, n: int) -> None:
    expected = stats.binomtest(failed, n).proportion_ci(0.95, "exact")
    assert estimates.failure_share(failed, n) == pytest.approx((expected.low, expected.high))


def test_no_failure_and_only_failures_put_all_of_alpha_on_one_side() -> None:
    assert estimates.failure_share(0, 5) == pytest.approx((0.0, 1 - 0.05**0.2))
    assert estimates.failure_share(0, 5)[1] == pytest.approx(0.451, abs=5e-4)
    assert estimates.failure_share(5, 5) == pytest.approx((0.05**0.2, 1.0))
    assert estimates.failure_share(0, 0) == (0.0, 1.0)


def test_29_seeds_leave_room_for_an_outcome_of_one_seed_in_ten() -> None:
    assert estimates.unseen(29) == pytest.approx(0.098, abs=5e-4)
    assert (1 - estimates.unseen(12)) ** 12 == pytest.approx(0.05)
