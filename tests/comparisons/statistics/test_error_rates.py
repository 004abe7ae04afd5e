"""What verdicts promise, by simulation: how often they err, and what they find with how many seeds."""

import math
import time

import numpy as np
import pytest
from simulations import ALPHA, MOST, NULLS, RULE, normal, pairs_of, simulate, simulate_anytime_valid, simulate_arms

from lab.comparisons.statistics import estimates
from lab.comparisons.statistics.design import Rule
from lab.comparisons.statistics.verdicts import decide

SIMULATIONS = 4_000


def test_the_simulation_is_the_code_under_test() -> None:
    rng = np.random.default_rng(1)
    for rule in (RULE, Rule(False, margin=0.5), Rule(True, 0.3, 0.1, least=4, most=20, horizon=12)):
        draws = rng.normal(size=(12, 3, MOST)) + np.array([0.0, 0.6, 1.2])[:, None]
        found = simulate_arms(draws, rule)
        for row, arms in enumerate(draws):
            each = decide({str(arm): pairs_of(values) for arm, values in enumerate(arms)}, rule)
            for arm, one in enumerate(each.values()):
                assert (one.n, one.differs) == (found.n[row, arm], found.differs[row, arm])
                assert (one.state == "practically equal", one.futile) == (found.equal[row, arm], found.futile[row, arm])
                assert (one.low, one.high) == pytest.approx((found.low[row, arm], found.high[row, arm]))


@pytest.mark.parametrize(
    "name", [name for name in NULLS if name != "skewed: lognormal, σ = 1.5" and not name.startswith("one arm")]
)
def test_wrong_verdicts_are_at_most_5_percent_when_looking_after_every_seed(name: str) -> None:
    draws = NULLS[name](np.random.default_rng(0), (SIMULATIONS, MOST))
    rate = simulate(draws, give_up=False).differs.mean()
    assert rate <= ALPHA + 2 * math.sqrt(ALPHA / SIMULATIONS)  # two standard errors


@pytest.mark.parametrize(("folds", "spread"), [(3, 0.3), (3, 3.0), (5, 0.3), (5, 3.0), (10, 1.0)])
def test_folds_that_differ_by_themselves_cause_no_wrong_verdict_on_their_mean(folds: int, spread: float) -> None:
    """The mean over these folds is 0, whatever each of them is; for folds of other data that would not hold."""
    rng = np.random.default_rng(0)
    of_folds = spread * rng.normal(size=(SIMULATIONS, folds))
    in_turn = np.arange(MOST) % folds
    noise = rng.normal(size=(SIMULATIONS, MOST))
    same_data = noise + (of_folds - of_folds.mean(1, keepdims=True))[:, in_turn]
    assert simulate(same_data, give_up=False).differs.mean() < ALPHA
    assert simulate(noise + of_folds[:, in_turn], give_up=False).differs.mean() > ALPHA


def test_where_one_arm_rarely_collapses_no_rule_that_decides_early_keeps_5_percent() -> None:
    """The limit that is reported: five seeds do not show what strikes one in ten."""
    draws = NULLS["one arm collapses on 10 % of seeds"](np.random.default_rng(0), (SIMULATIONS, MOST))
    found = simulate(draws)
    wrong = found.n[found.differs]
    before = simulate_anytime_valid(draws) > 0
    assert 0.2 < found.differs.mean() < before.mean() - 0.1
    assert (estimates.unseen(int(np.median(wrong)))) > 0.1  # the verdict says that 10 % are not excluded


@pytest.mark.parametrize("arms", [2, 5])
def test_several_arms_together_err_at_most_at_alpha(arms: int) -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(SIMULATIONS, arms, MOST)) - rng.normal(size=(SIMULATIONS, 1, MOST))
    draws[:, 1:] += np.where(rng.random((SIMULATIONS, arms - 1, 1)) < 0.5, 2.0, 0.0)  # some arms differ, others do not
    null = np.abs(draws.mean(-1)) < 1
    wrong = (simulate_arms(draws, give_up=False).differs & null).any(1)
    assert wrong.mean() <= ALPHA + 2 * math.sqrt(ALPHA / SIMULATIONS)


@pytest.mark.parametrize("name", ["normal", "skewed: exponential"])
def test_practically_equal_is_wrong_in_at_most_half_of_alpha_at_the_margin_itself(name: str) -> None:
    draws = NULLS[name](np.random.default_rng(0), (SIMULATIONS, MOST))
    for shift in (-0.75, 0.75):
        assert simulate(draws + shift, Rule(True, margin=0.75)).equal.mean() <= ALPHA / 2


@pytest.mark.parametrize(("effect", "decided", "seeds"), [(0.0, 0.0, 19.0), (0.674, 0.85, 21.5), (1.0, 0.98, 17.0)])
def test_power_and_the_mean_number_of_seeds(effect: float, decided: float, seeds: float) -> None:
    found = simulate(np.random.default_rng(0).normal(effect, 1, (SIMULATIONS, MOST)))
    assert found.differs.mean() >= decided
    assert found.n.mean() <= seeds


@pytest.mark.parametrize("effect", [0.0, 0.2, 0.5, 1.0])
def test_the_interval_at_the_end_holds_the_difference(effect: float) -> None:
    found = simulate(np.random.default_rng(0).normal(effect, 1, (SIMULATIONS, MOST)))
    assert ((found.low <= effect) & (effect <= found.high)).mean() >= 1 - ALPHA


def test_judging_five_arms_takes_milliseconds() -> None:
    arms = {str(seed): pairs_of(normal(seed / 5, seed=seed)) for seed in range(5)}
    decide(arms, RULE)  # critical values are computed once
    began = time.perf_counter()
    for _ in range(10):
        decide(arms, RULE)
    assert (time.perf_counter() - began) / 10 < 0.05  # 3 ms on an idle machine
