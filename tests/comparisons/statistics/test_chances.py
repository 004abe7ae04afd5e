"""The chance that further seeds decide: against its distribution, and as often true as it says."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from simulations import ALPHA, RULE, normal, pairs_of, simulate

from lab.comparisons.statistics.boundaries import critical_values
from lab.comparisons.statistics.chances import chance_at_the_end, chance_of_decision, further_differences


def test_the_chance_at_the_end_is_the_predictive_t_distribution() -> None:
    """The mean of the 18 seeds to come, given 12: t with 11 degrees of freedom, scale s × √(1/12 + 1/18)."""
    n, most, mean, deviation = 12, 30, 0.3, 0.9
    to_come = stats.t(n - 1, mean, deviation * math.sqrt(1 / 12 + 1 / 18))

    def final_below(value: float) -> float:
        return float(to_come.cdf((most * value - n * mean) / (most - n)))

    half = deviation / math.sqrt(most)
    differs = 1 - final_below(2.5 * half) + final_below(-2.5 * half)
    near = 0.6 - 3 * half
    equal = final_below(near) - final_below(-near)
    assert 0 < near < 2.5 * half
    assert chance_at_the_end(n, mean, deviation, most, 2.5, 3.0) == pytest.approx(differs, abs=1e-9)
    assert chance_at_the_end(n, mean, deviation, most, 2.5, 3.0, 0.6) == pytest.approx(differs + equal, abs=1e-9)
    assert chance_at_the_end(n, mean, deviation, most, 2.5, 3.0, 99.0) == pytest.approx(1.0)


def test_the_chance_of_a_decision_at_one_look_is_what_integration_finds() -> None:
    """With one look at 300 seeds skewness hardly matters, and the predictive distribution is nearly normal."""
    values = normal(0.0, 200, seed=2)
    values = (values - values.mean()) / values.std(ddof=1) + 0.1
    rule = replace(RULE, least=300, most=300, horizon=300)
    critical = critical_values(ALPHA, 300, 300, 300)[300]
    spread = math.sqrt(100 + 100**2 / 203)  # of the sum of 100 seeds to come, the prior being worth 3
    final = stats.norm((200 * 0.1 + 100 * 0.1 * 200 / 203) / 300, spread / 300)
    expected = final.sf(critical / math.sqrt(300)) + final.cdf(-critical / math.sqrt(300))
    assert chance_of_decision(pairs_of(values), rule, ALPHA, 300) == pytest.approx(expected, abs=0.06)


def test_further_differences_have_the_moments_of_their_predictive_distribution() -> None:
    """Deviation open: variances × ν / (ν − 2). Mean open, the prior worth 3 seeds: shrunk, and shared by a row."""
    n, mean, deviation = 12, 1.0, 0.5
    drawn = further_differences(n, mean, deviation, (200_000, 2))
    variance = deviation**2 * 11 / 9
    assert drawn.mean() == pytest.approx(mean * 12 / 15, abs=0.003)
    assert np.cov(drawn.T) == pytest.approx(variance * (np.eye(2) + 1 / 15), abs=0.005)


def test_chances_that_further_seeds_decide_come_true_as_often_as_they_say() -> None:
    rng, rule, most = np.random.default_rng(0), replace(RULE, most=30), 30
    draws = rng.normal(size=(600, most)) + rng.uniform(0, 1, (600, 1))
    decided = simulate(draws, rule, give_up=False)
    going = np.flatnonzero(decided.n > 10)[:200]
    stated = np.array([chance_of_decision(pairs_of(draws[row, :10]), rule, ALPHA, most) for row in going])
    came = decided.differs[going]
    for least, above in ((0.0, 0.25), (0.25, 0.6), (0.6, 1.01)):
        chosen = (stated >= least) & (stated < above)
        assert came[chosen].mean() == pytest.approx(stated[chosen].mean(), abs=3 * 0.5 / math.sqrt(chosen.sum()))


def test_the_chance_of_a_decision_is_the_same_each_time_and_grows_with_the_seeds() -> None:
    pairs = pairs_of(normal(0.4, 12, seed=2))
    chances = [chance_of_decision(pairs, RULE, ALPHA, most) for most in (13, 30, 100)]
    assert chances == [chance_of_decision(pairs, RULE, ALPHA, most) for most in (13, 30, 100)]
    assert chances == sorted(chances)
    assert 0 <= chances[0] < 0.2 < chances[2] <= 1
    assert chance_of_decision(pairs, replace(RULE, margin=9.0), ALPHA, 30) > 0.99
    assert math.isnan(chance_of_decision(pairs[:1], RULE, ALPHA, 30))
    assert chance_of_decision(pairs_of([1.0, 1.1]), RULE, ALPHA, 30) > 0.5


def test_the_chance_of_a_decision_does_not_depend_on_the_order_of_seeds() -> None:
    values = [0.1, 0.4, 0.2, 0.5, -0.9]
    there, back = (chance_of_decision(pairs_of(order), RULE, ALPHA, 30) for order in (values, values[::-1]))
    assert there == pytest.approx(back, abs=1e-9)
