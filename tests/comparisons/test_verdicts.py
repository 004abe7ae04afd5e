"""The arithmetic of verdicts: against the published formulas, and by simulation at its promises."""

import math

import numpy as np
import pytest
from scipy import stats
from simulations import ALPHA, MOST, simulate

from lab.comparisons import verdicts
from lab.comparisons.verdicts import Differences, confidence_sequence, first_decision, judge, log_e_value, summary


def test_the_simulation_is_the_code_under_test() -> None:
    rng = np.random.default_rng(5)
    draws = rng.normal(0.5, 1, (50, MOST))
    for row, n in zip(draws, simulate(draws), strict=True):
        verdict = first_decision(list(row), True, 0.0, ALPHA, 3)
        assert (verdict.n if verdict.decided else 0) == n


def test_the_e_value_is_the_published_one() -> None:
    d = Differences(n=10, mean=0.4, deviation=0.5)
    t, nu, g = math.sqrt(10) * 0.4 / 0.5, 9, 1.0
    log_e = 0.5 * math.log(g / (10 + g))
    log_e += (nu + 1) / 2 * (math.log(1 + t**2 / nu) - math.log(1 + t**2 * g / ((10 + g) * nu)))
    assert log_e_value(d) == pytest.approx(log_e)


@pytest.mark.parametrize("n", [3, 5, 10, 30])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_sequence_excludes_0_exactly_when_the_e_value_reaches_1_over_alpha(n: int, alpha: float) -> None:
    for mean in np.linspace(0, 5, 101):
        d = Differences(n, float(mean), 1.0)
        low, _ = confidence_sequence(d, alpha)
        reaches = log_e_value(d) >= math.log(1 / alpha)
        assert (low > 0) == reaches or abs(low) < 1e-9


def test_too_few_differences_decide_nothing() -> None:
    for differences in ([], [1.0], [1.0, 1.1]):
        verdict = judge(differences, True, 0.0, ALPHA)
        assert (verdict.state, verdict.low, verdict.high) == ("undecided", -math.inf, math.inf)


@pytest.mark.parametrize(("value", "state"), [(0.0, "practically equal"), (0.3, "better"), (-0.3, "worse")])
def test_differences_that_are_all_the_same_are_decided(value: float, state: str) -> None:
    assert first_decision([value] * 10, True, 0.01, ALPHA, 3).state == state


def test_where_lower_is_better_a_lower_arm_is_better() -> None:
    differences = [-0.5, -0.6, -0.4, -0.5, -0.55, -0.45, -0.5, -0.52]
    assert judge(differences, False, 0.0, ALPHA).state == "better"
    assert judge(differences, True, 0.0, ALPHA).state == "worse"
    assert judge(differences, False, 0.0, ALPHA).superiority == 1.0


def test_superiority_is_the_share_of_wins_with_ties_counted_half() -> None:
    differences = [0.5, -0.5, 0.0, 0.0, 0.1]
    published = stats.mannwhitneyu(differences, [0.0]).statistic / len(differences)  # U counts a tie half
    assert judge(differences, True, 0.0, ALPHA).superiority == pytest.approx(published) == pytest.approx(0.6)
    assert judge(differences, False, 0.0, ALPHA).superiority == pytest.approx(1 - published)


def test_a_difference_smaller_than_the_margin_is_practically_equal() -> None:
    rng = np.random.default_rng(0)
    differences = list(rng.normal(0.0, 0.01, 30))
    assert first_decision(differences, True, 0.02, ALPHA, 3).state == "practically equal"


def test_more_seeds_never_change_a_decision() -> None:
    rng = np.random.default_rng(1)
    differences = list(rng.normal(1.0, 1.0, MOST))
    decided = first_decision(differences, True, 0.0, ALPHA, 5)
    assert decided.decided
    for n in range(decided.n, MOST):
        assert first_decision(differences[:n], True, 0.0, ALPHA, 5) == decided


def test_the_estimate_of_more_seeds_is_about_right() -> None:
    verdict = judge([0.5, -0.5, 1.0, 0.2, -0.1], True, 0.0, ALPHA)
    needed = verdicts.seeds_needed(verdict, 0.0, ALPHA)
    assert needed is not None
    low, _ = confidence_sequence(Differences(needed, verdict.mean, verdict.deviation), ALPHA)
    before, _ = confidence_sequence(Differences(math.floor(needed / 1.05), verdict.mean, verdict.deviation), ALPHA)
    assert low > 0 > before
    assert verdicts.seeds_needed(judge([1.0, -1.0], True, 0.0, ALPHA), 0.0, ALPHA) is None


def test_welch_is_scipys() -> None:
    mean, low, high = verdicts.welch([1.0, 1.2, 1.1], [0.5, 0.4, 0.9, 0.6], ALPHA)
    assert low < mean < high
    assert mean == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("normal", 1.0), ("skewed", 1.5), ("heavy tails", 1.5)],
)
def test_false_decisions_under_the_null_when_looking_after_every_seed(name: str, allowed: float) -> None:
    rng = np.random.default_rng(0)
    size = (20_000, MOST)
    draws = {
        "normal": lambda: rng.normal(size=size),
        "skewed": lambda: rng.exponential(size=size) - rng.exponential(size=size) * 0.5 - 0.5,
        "heavy tails": lambda: rng.standard_t(3, size=size),
    }[name]()
    rate = (simulate(draws) > 0).mean()
    print(f"{name}: {rate:.4f}")
    assert rate <= allowed * ALPHA


@pytest.mark.parametrize(("effect", "most"), [(0.95, 15), (2.0, 8)])
def test_the_median_number_of_seeds_to_a_decision(effect: float, most: int) -> None:
    rng = np.random.default_rng(0)
    decided = simulate(rng.normal(effect, 1, (20_000, 200)))
    median = np.median(np.where(decided > 0, decided, 10_000))
    print(f"effect {effect}: median {median}")
    assert median <= most


def test_the_family_of_four_arms_errs_at_most_at_alpha() -> None:
    rng = np.random.default_rng(0)
    control = rng.normal(size=(20_000, 1, MOST))
    arms = rng.normal(size=(20_000, 4, MOST)) - control  # differences to one control are correlated
    wrong = [(simulate(arms[:, arm], ALPHA / 4) > 0) for arm in range(4)]
    rate = np.any(wrong, axis=0).mean()
    print(f"family-wise: {rate:.4f}")
    assert rate <= ALPHA


def test_practically_equal_is_found_by_30_seeds() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for row in rng.normal(0, 1, (1_000, 30)):
        found += first_decision(list(row), True, 1.0, ALPHA, 3).state == "practically equal"
    print(f"practically equal: {found / 1000:.3f}")
    assert found >= 800


def test_the_sequence_covers_the_mean_at_all_looks_together() -> None:
    rng = np.random.default_rng(0)
    rate = 1 - (simulate(rng.normal(size=(20_000, MOST))) > 0).mean()  # it misses the mean where the e-value rejects it
    print(f"coverage: {rate:.4f}")
    assert rate >= 1 - ALPHA


def test_summary_of_one_difference_knows_no_deviation() -> None:
    assert summary([0.5]) == Differences(1, 0.5, math.inf)
