"""Critical values: against published tables, and an independent computation."""

import time

import numpy as np
import pytest
from scipy import stats

from lab.comparisons.statistics.boundaries import (
    HORIZON,
    SPENT,
    SPENT_IN_THE_END,
    critical_values,
    crossing_probabilities,
    last_critical_value,
    normal_boundaries,
    spending,
)


@pytest.mark.parametrize(
    ("shape", "looks", "constant"),
    [
        # Jennison & Turnbull 2000, two-sided α = 0.05: tables 2.1 (Pocock), 2.3 (O'Brien & Fleming), 2.9 (Δ = 0.25)
        (0.5, 2, 2.178),
        (0.5, 5, 2.413),
        (0.5, 10, 2.555),
        (0.0, 2, 1.977),
        (0.0, 5, 2.040),
        (0.0, 10, 2.087),
        (0.25, 2, 2.038),
        (0.25, 5, 2.136),
    ],
)
def test_published_boundaries_are_crossed_with_the_published_probability(
    shape: float, looks: int, constant: float
) -> None:
    at = np.arange(1, looks + 1)
    probability = crossing_probabilities(at, constant * (at / looks) ** (shape - 0.5)).sum()
    assert probability == pytest.approx(0.05, abs=1.5e-4)


def test_three_looks_agree_with_the_multivariate_normal_distribution() -> None:
    looks, errors = [4, 7, 12], [0.01, 0.015, 0.025]
    boundaries = normal_boundaries(looks, errors)
    correlation = [[np.sqrt(min(a, b) / max(a, b)) for b in looks] for a in looks]
    inside = 1.0
    for count, error in enumerate(np.cumsum(errors), start=1):
        joint = stats.multivariate_normal(cov=np.array(correlation)[:count, :count])
        inside = joint.cdf(boundaries[:count], lower_limit=-boundaries[:count], rng=np.random.default_rng(0))
        assert 1 - inside == pytest.approx(error, abs=2e-4)


def test_the_first_boundary_is_the_quantile_and_the_crossings_are_the_errors_asked_for() -> None:
    looks, errors = np.arange(5, 31), np.full(26, 0.002)
    boundaries = normal_boundaries(looks, errors)
    assert boundaries[0] == pytest.approx(stats.norm.isf(0.001), abs=1e-6)
    assert crossing_probabilities(looks, boundaries) == pytest.approx(errors, abs=1e-8)


def test_critical_values_carry_over_to_t_at_equal_nominal_p() -> None:
    looks = np.arange(5, 31)
    spent = np.diff([spending(int(n), 0.05) for n in looks], prepend=0.0)
    nominal = stats.norm.sf(normal_boundaries(looks, spent))
    assert critical_values(0.05, 5, 30)[5:] == pytest.approx(stats.t.isf(nominal, looks - 1), rel=1e-6)


def test_the_spending_function() -> None:
    assert spending(HORIZON, 0.05) == pytest.approx(SPENT * 0.05)
    assert spending(15, 0.05) == pytest.approx(SPENT * 0.05 / 8)  # the third power
    assert spending(60, 0.05) == pytest.approx(0.05 * (SPENT_IN_THE_END - (SPENT_IN_THE_END - SPENT) / 4))
    assert spending(10**9, 0.05) == pytest.approx(SPENT_IN_THE_END * 0.05)
    assert spending(12, 0.05, 12) == pytest.approx(SPENT * 0.05)
    spent = [spending(n, 0.05) for n in range(5, 200)]
    assert spent == sorted(spent)


def test_nothing_is_decided_before_the_first_look() -> None:
    values = critical_values(0.05, 5, 12)
    assert len(values) == 13
    assert np.isinf(values[:5]).all()
    assert np.isfinite(values[5:]).all()
    assert np.isinf(critical_values(0.05, 5, 4)).all()


def test_more_seeds_later_leave_the_looks_already_taken_as_they_were() -> None:
    short, long = critical_values(0.05, 5, 30), critical_values(0.05, 5, 60)
    assert np.array_equal(short, long[:31])


@pytest.mark.parametrize("horizon", [8, 30, 60])
def test_a_larger_error_rate_has_smaller_critical_values_at_every_look(horizon: int) -> None:
    rates = [0.05 / arms for arms in (1, 2, 3, 5, 10)]
    values = np.array([critical_values(rate, 5, 60, horizon)[5:] for rate in rates])
    assert (np.diff(values, axis=0) > 0).all()


def test_a_first_look_after_the_horizon_spends_what_is_due_by_then() -> None:
    assert critical_values(0.05, 12, 12, 8)[12] == pytest.approx(stats.t.isf(SPENT * 0.025, 11), rel=1e-6)


def test_the_last_look_spends_what_is_left() -> None:
    looks = [5, 6, 7]
    spent = [spending(5, 0.05), spending(6, 0.05), SPENT * 0.05]
    boundary = normal_boundaries(looks, np.diff(spent, prepend=0.0))[-1]
    assert last_critical_value(0.05, 5, 7) == pytest.approx(stats.t.isf(stats.norm.sf(boundary), 6), rel=1e-6)
    assert last_critical_value(0.05, 5, 30) == pytest.approx(critical_values(0.05, 5, 30)[30], rel=1e-6)
    assert last_critical_value(0.05, 5, 40) == pytest.approx(critical_values(0.05, 5, 40)[40], rel=1e-6)
    assert last_critical_value(0.05, 5, 5) == pytest.approx(stats.t.isf(SPENT * 0.025, 4), rel=1e-6)
    assert last_critical_value(0.05, 9, 9, 8) == pytest.approx(critical_values(0.05, 9, 9, 8)[9], rel=1e-6)


def test_critical_values_are_computed_in_no_time_and_cannot_be_changed() -> None:
    critical_values.cache_clear()
    began = time.perf_counter()
    values = critical_values(0.05, 5, 30)
    assert time.perf_counter() - began < 0.5  # 0.02 s on an idle machine
    with pytest.raises(ValueError):
        values[5] = 0.0
