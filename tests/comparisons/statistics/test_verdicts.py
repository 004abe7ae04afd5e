"""Verdicts: what is decided for given scores."""

import math
from dataclasses import replace

import numpy as np
import pytest
from simulations import ALPHA, RULE, normal, pairs_of

from lab.comparisons.statistics import estimates, verdicts
from lab.comparisons.statistics.boundaries import critical_values, last_critical_value
from lab.comparisons.statistics.design import FIXED_PAIRED, FIXED_UNPAIRED, Rule, Verdict
from lab.comparisons.statistics.estimates import Pair
from lab.comparisons.statistics.verdicts import decide


def verdict(differences: object, rule: Rule = RULE) -> Verdict:
    return decide({"arm": pairs_of(differences)}, rule)["arm"]


# What is decided


@pytest.mark.parametrize(("sign", "higher_is_better", "state"), [(1, True, "better"), (1, False, "worse")])
def test_a_clear_difference_is_found_in_the_direction_of_the_metric(
    sign: int, higher_is_better: bool, state: str
) -> None:
    found = verdict(normal(2) * sign, Rule(higher_is_better))
    opposite = verdict(-normal(2) * sign, Rule(higher_is_better))
    assert (found.state, found.decided, found.differs, found.ended) == (state, True, True, True)
    assert {found.state, opposite.state} == {"better", "worse"}
    assert found.low > 0 > opposite.high
    assert 5 <= found.n < 15


def test_the_end_that_decides_is_that_of_the_look_and_the_other_that_of_a_last_look() -> None:
    values = normal(2)
    found = verdict(values)
    seen = estimates.moments(values[: found.n])
    low, _ = estimates.interval(seen, critical_values(ALPHA, 5, 30)[1 : found.n + 1])
    _, high = estimates.interval(seen, np.full(found.n, last_critical_value(ALPHA, 5, found.n)))
    assert (found.low, found.high) == pytest.approx((low[-1], high[-1]))
    mirrored = verdict(-values)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
    assert (low[:-1] <= 0).all()  # no earlier look decided
    assert (found.mean, found.deviation) == pytest.approx((values[: found.n].mean(), values[: found.n].std(ddof=1)))
    assert (found.level, found.superiority) == (ALPHA, (values[: found.n] > 0).mean())
    assert found.excluded == max(-found.low, found.high)


@pytest.mark.parametrize("pairs", [[], [(1.0, 0.5)], [(1.0, 0.5), (1.1, 0.4), (1.2, 0.6), (1.0, 0.5)]])
def test_fewer_seeds_than_the_first_look_decide_nothing(pairs: list[Pair]) -> None:
    found = decide({"arm": pairs}, RULE)["arm"]
    assert (found.state, found.ended, found.n) == ("undecided", False, len(pairs))
    assert (found.low, found.high, found.excluded) == (-math.inf, math.inf, math.inf)


def test_the_mean_of_no_seeds_is_unknown() -> None:
    found = decide({"arm": []}, RULE)["arm"]
    assert math.isnan(found.mean)
    assert math.isnan(found.superiority)
    assert math.isinf(found.deviation)


def test_a_difference_inside_the_margin_is_practically_equal() -> None:
    found = verdict(normal(0) * 0.01, Rule(True, margin=0.02))
    assert (found.state, found.decided, found.differs) == ("practically equal", True, False)
    assert -0.02 < found.low < 0 < found.high < 0.02
    assert verdict(normal(0) * 0.01, Rule(True, margin=0.0)).state == "undecided"


def test_a_difference_that_is_found_is_better_even_within_the_margin() -> None:
    assert verdict(0.01 + normal(0) * 0.001, Rule(True, margin=0.5, least=10)).state == "better"


def test_an_interval_says_practically_equal_only_where_both_ends_are_within_the_margin() -> None:
    assert verdicts.state_of(-0.1, 0.1, True, 0.2) == "practically equal"
    assert verdicts.state_of(-0.3, 0.1, True, 0.2) == "undecided"
    assert verdicts.state_of(-0.1, 0.3, True, 0.2) == "undecided"
    assert verdicts.state_of(-0.2, 0.1, True, 0.2) == "undecided"
    assert verdicts.state_of(-0.1, 0.2, True, 0.2) == "undecided"
    assert verdicts.state_of(0.0, 0.3, True, 0.0) == "undecided"
    assert verdicts.state_of(-0.3, 0.0, True, 0.0) == "undecided"
    assert verdicts.state_of(0.1, 0.3, False, 0.0) == "worse"
    assert verdicts.state_of(-0.3, -0.1, False, 0.0) == "better"


# No variance is not certainty


def test_five_equal_differences_decide_nothing_and_ten_do() -> None:
    assert verdict([0.3] * 5).state == "undecided"
    assert verdict([0.3] * 10).state == "better"
    assert verdict([-0.3] * 10).state == "worse"


def test_the_resolution_of_the_metric_bounds_the_deviation() -> None:
    assert verdict([0.001] * 6, Rule(True, resolution=0.001)).state == "undecided"
    assert verdict([0.001] * 6, Rule(True, resolution=1e-5)).state == "better"


def test_arms_that_never_differ_are_practically_equal_where_there_is_a_margin() -> None:
    assert verdict([0.0] * 5, Rule(True, margin=0.01)).state == "undecided"
    assert verdict([0.0] * 12, Rule(True, margin=0.01)).state == "practically equal"
    assert verdict([0.0] * 30).state == "undecided"


# Failures


@pytest.mark.parametrize("seed", range(20))
def test_an_arm_that_fails_on_20_of_30_seeds_is_never_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    failed = rng.permutation(30) < 20
    pairs = [(None if fails else 0.9 + 0.01 * rng.random(), 0.5 + 0.01 * rng.random()) for fails in failed]
    for least in (5, 20, 30):
        found = decide({"arm": pairs[:30]}, Rule(True, least=least))["arm"]
        assert found.n < 30 or found.state != "better"
    found = decide({"arm": pairs}, Rule(True, least=30))["arm"]
    assert found.arm_failures == 20
    assert found.control_failures == 0
    assert found.mean < 0


def test_failures_of_either_are_counted_up_to_the_verdict() -> None:
    pairs: list[Pair] = [(None, 0.5), (0.6, None), (None, None), (0.6, 0.5), (0.6, 0.5), (None, 0.5)]
    found = decide({"arm": pairs}, Rule(True, most=5))["arm"]
    assert (found.n, found.arm_failures, found.control_failures) == (5, 2, 2)


def test_an_arm_that_always_fails_is_worse() -> None:
    assert decide({"arm": [(None, 0.5 + 0.01 * n) for n in range(12)]}, RULE)["arm"].state == "worse"
    assert decide({"arm": [(None, 0.5)] * 12}, RULE)["arm"].state == "worse"


# A function of the differences alone


def test_more_seeds_than_were_needed_change_nothing() -> None:
    values = normal(1, 60, seed=1)
    found = verdict(values[:30])
    assert found.decided
    for n in range(found.n, 60):
        assert verdict(values[:n]) == found


def test_a_comparison_continued_with_more_seeds_gives_what_one_session_gives() -> None:
    values = normal(0.4, 60, seed=36)
    first = verdict(values[:30], replace(RULE, most=30))
    assert not first.decided
    later = verdict(values, replace(RULE, most=60))
    assert later.n > 30
    assert later.decided


def test_a_verdict_at_the_last_seed_is_the_same_however_many_may_follow() -> None:
    values = normal(1, 60, seed=1)
    assert verdict(values, replace(RULE, most=60)).state == verdict(values, RULE).state == "better"
    assert verdict(values, replace(RULE, most=60)).n == verdict(values, RULE).n


def test_an_arm_waits_for_the_seeds_of_the_others() -> None:
    arms = {"one": pairs_of(normal(3)), "two": pairs_of(normal(0)[:3])}
    assert decide(arms, RULE)["one"].n == 30  # still open: its level is not known before the other arm is there
    arms["two"] = pairs_of(normal(0)[:20])
    assert decide(arms, RULE)["one"].n < 15


# Several arms


def test_an_arm_that_is_found_to_differ_leaves_its_error_rate_to_the_others() -> None:
    arms = {"clear": pairs_of(normal(3, seed=1)), "faint": pairs_of(normal(0.7, seed=2))}
    found = decide(arms, RULE)
    assert found["clear"].level == ALPHA / 2
    assert found["faint"].level == ALPHA
    alone = verdict(normal(0.7, seed=2))
    assert (found["faint"].state, found["faint"].n) == (alone.state, alone.n)


def test_at_one_look_too_the_error_rate_is_passed_on() -> None:
    critical = critical_values(ALPHA, 30, 30)[30], critical_values(ALPHA / 2, 30, 30)[30]
    values = normal(0)
    values = (values - values.mean()) / values.std(ddof=1)
    values = np.sort(np.concatenate([values[:15], -values[:15]]))  # symmetric: no allowance for skewness
    values /= values.std(ddof=1)
    between = values + (critical[0] + critical[1]) / 2 / math.sqrt(30)
    rule = replace(RULE, least=30)
    one = decide({"faint": pairs_of(between), "none": pairs_of(values)}, rule)
    assert one["faint"].state == "undecided"
    two = decide({"faint": pairs_of(between), "clear": pairs_of(values + 9)}, rule)
    assert (two["faint"].state, two["faint"].level) == ("better", ALPHA)
    assert two["clear"].level == ALPHA / 2


def test_practically_equal_passes_nothing_on_and_is_decided_at_the_level_of_all_arms() -> None:
    rule = Rule(True, margin=1.0)
    arms = {"equal": pairs_of(normal(0, seed=1) * 0.01), "open": pairs_of(normal(0.3, 5, seed=2))}
    found = decide(arms, replace(rule, most=5, horizon=5))
    assert (found["equal"].state, found["equal"].level) == ("practically equal", ALPHA / 2)
    assert found["open"].level == ALPHA / 2
    clear = {"clear": pairs_of(normal(9, seed=3)), "equal": pairs_of(normal(0, seed=1) * 0.4)}
    assert decide(clear, rule)["equal"].level == ALPHA / 2


def test_the_order_of_arms_does_not_matter() -> None:
    arms = {str(seed): pairs_of(normal(seed / 2, seed=seed)) for seed in range(4)}
    assert decide(arms, RULE) == decide(dict(reversed(arms.items())), RULE)


# Giving up


def test_an_arm_is_given_up_when_a_decision_is_unlikely() -> None:
    values = normal(0, seed=5)
    found = verdict(values)
    assert (found.state, found.futile, found.ended, found.decided) == ("undecided", True, True, False)
    assert 10 <= found.n < 30
    last = last_critical_value(ALPHA, 5, found.n)
    low, high = estimates.interval(estimates.moments(values[: found.n]), np.full(found.n, last))
    assert (found.low, found.high) == pytest.approx((low[-1], high[-1]))


def test_no_arm_is_given_up_before_ten_seeds_or_at_the_last() -> None:
    flat = [0.1, -0.1] * 15
    assert verdict(flat[:9], replace(RULE, most=14)).futile is False
    assert verdict(flat[:10], replace(RULE, most=14)).futile is True
    assert verdict(flat, replace(RULE, most=9)).ended is False
    assert verdict(flat, replace(RULE, most=10)).ended is False
    assert verdict(flat, replace(RULE, most=11)).n == 10


def test_with_more_seeds_allowed_an_arm_that_was_given_up_goes_on() -> None:
    values = normal(0.35, 60, seed=11)
    given_up = verdict(values)
    assert given_up.futile
    assert verdict(values[: given_up.n], replace(RULE, most=200)).futile is False


def test_no_arm_is_given_up_before_its_first_look() -> None:
    flat = [0.1, -0.1] * 15
    assert verdict(flat[:11], replace(RULE, least=12, most=14)).ended is False
    assert verdict(flat[:12], replace(RULE, least=12, most=14)).futile is True


# Runs whose number was fixed beforehand


def test_a_fixed_number_of_paired_runs_has_the_t_interval() -> None:
    values = np.array([0.1, 0.3, 0.2, 0.5])
    found = verdicts.of_fixed_runs(pairs_of(values), Rule(False, margin=0.01), 0.1)
    expected = estimates.paired_t(4, float(values.mean()), float(values.std(ddof=1)), 0.1)
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.state, found.n, found.level, found.rule) == ("worse", 4, 0.1, FIXED_PAIRED)
    near = verdicts.of_fixed_runs(pairs_of([0.1, -0.1, 0.05]), Rule(True, margin=0.5), ALPHA)
    assert near.state == "practically equal"


def test_runs_that_cannot_be_paired_have_welchs_interval() -> None:
    arm, control = [1.0, 1.2, 1.1], [0.5, 0.4, 0.9, 0.6]
    found = verdicts.of_unpaired_runs(arm, control, RULE, ALPHA)
    assert (found.mean, found.low, found.high) == pytest.approx(estimates.welch(arm, control, ALPHA))
    assert (found.state, found.n, found.level, found.rule) == ("better", 3, ALPHA, FIXED_UNPAIRED)
    assert math.isnan(found.deviation)
    assert math.isnan(found.superiority)


def test_the_narrowing_ends_where_the_verdict_does() -> None:
    pairs = pairs_of(normal(1.5))
    found = decide({"arm": pairs}, RULE)["arm"]
    rows = verdicts.narrowing(pairs, RULE, found)
    assert [row["difference"] for row in rows] == [arm for arm, _ in pairs[: found.n]]
    assert (rows[-1]["mean"], rows[-1]["low"], rows[-1]["high"]) == pytest.approx((found.mean, found.low, found.high))
    assert rows[3]["low"] == -math.inf
    before = verdict([arm - control for arm, control in pairs[: found.n - 1]])  # undecided, so its interval as it was
    assert (rows[-2]["low"], rows[-2]["high"]) == pytest.approx((before.low, before.high))
    assert verdicts.narrowing([], RULE, verdict([])) == []


def test_a_failure_excludes_that_arms_are_practically_equal() -> None:
    """Of an arm that failed nobody knows how near it would have been."""
    rng = np.random.default_rng(1)
    near = [(0.5 + value, 0.5) for value in rng.normal(0, 0.001, 30)]
    rule = Rule(True, margin=0.05)
    assert decide({"arm": near}, rule)["arm"].state == "practically equal"
    assert decide({"arm": [(None, 0.5), *near]}, rule)["arm"].state == "undecided"
    assert decide({"arm": [(None, None)] * 12}, rule)["arm"].state == "undecided"
    at_once = decide({"arm": [*pairs_of([0.1, -0.1, 0.1] * 3), (None, None)]}, Rule(True, 9.0, least=10, most=14))
    assert (at_once["arm"].state, at_once["arm"].futile) == ("undecided", True)


def test_a_failure_among_a_fixed_number_of_runs_excludes_it_too() -> None:
    wide = Rule(True, margin=9.0)
    pairs: list[Pair] = [(0.5, 0.51), (0.52, 0.5), (0.5, 0.5), (None, 0.5)]
    assert verdicts.of_fixed_runs(pairs[:3], wide, ALPHA).state == "practically equal"
    assert verdicts.of_fixed_runs(pairs, wide, ALPHA).state == "undecided"
    arm, control = [0.5, 0.51, 0.52], [0.5, 0.52, 0.5]
    assert verdicts.of_unpaired_runs(arm, control, wide, ALPHA).state == "practically equal"
    assert verdicts.of_unpaired_runs([*arm, None], control, wide, ALPHA).state == "undecided"
