"""Verdicts from paired scores. Pure functions; nothing here trains or stores.

What is estimated is the mean over seeds of the paired difference, arm minus control, a failed training counting as
the worst difference seen. After every seed its repeated confidence interval is looked at: an arm is decided when it
excludes 0, or lies within the margin. The critical values come from boundaries.py, the interval, with an allowance
for skewed differences, from estimates.py.

What no rule can do that decides before 29 seeds: notice an outcome that strikes 10 % of the seeds and has not been
seen yet. `estimates.unseen` says how often such an outcome may strike. Start reading at `decide`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lab.comparisons.statistics import estimates
from lab.comparisons.statistics.boundaries import critical_values, last_critical_value
from lab.comparisons.statistics.chances import chance_at_the_end
from lab.comparisons.statistics.design import FIXED_PAIRED, FIXED_UNPAIRED, RULE, Rule, State, Verdict
from lab.comparisons.statistics.estimates import Moments, Pair

FUTILE_FROM = 10  # seeds before which no arm is given up
FUTILE_BELOW = 0.08  # an arm is given up where the chance that the last seed decides is smaller


def decide(arms: Mapping[str, Sequence[Pair]], rule: Rule) -> dict[str, Verdict]:
    """The verdict on every arm, from its pairs in the order of seeds.

    Looks after every seed at all arms that are still open. "Better" and "worse" follow the procedure of Holm (1979;
    group-sequential: Ye, Li, Liu & Yao 2013), each arm at alpha divided by the number of arms not yet found better or
    worse; "practically equal" is decided at alpha divided by all arms. A function of the pairs alone: interrupting,
    or training more seeds than were needed, changes nothing.
    """
    tests = {arm: _Test(pairs[: rule.most], rule, len(arms)) for arm, pairs in arms.items()}
    found: dict[str, Verdict] = {}
    for n in range(rule.least, rule.most + 1):
        undecided = {arm: test for arm, test in tests.items() if arm not in found}
        if any(len(test.pairs) < n for test in undecided.values()):
            break
        found |= _ended_at(n, undecided, found)
    sharing = _sharing(found, len(arms))
    return {arm: found.get(arm) or tests[arm].verdict(len(tests[arm].pairs), sharing) for arm in arms}


def _ended_at(n: int, tests: Mapping[str, "_Test"], before: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The arms that are decided or given up at n. Each that is better or worse leaves the others its error rate."""
    found: dict[str, Verdict] = {}
    while True:
        sharing = _sharing({**before, **found}, len(tests) + len(before))
        still = {arm: test for arm, test in tests.items() if arm not in found}
        now = {arm: test.verdict(n, sharing) for arm, test in still.items() if test.decided(n, sharing)}
        found |= now
        if not any(verdict.differs for verdict in now.values()):
            given_up = {arm: test for arm, test in still.items() if arm not in found and test.futile(n, sharing)}
            return found | {arm: test.verdict(n, sharing) for arm, test in given_up.items()}


def _sharing(found: Mapping[str, Verdict], arms: int) -> int:
    """How many arms share the error rate."""
    return max(arms - sum(verdict.differs for verdict in found.values()), 1)


class _Test:
    """One arm at all its looks; `sharing` is the number of arms that share the error rate."""

    def __init__(self, pairs: Sequence[Pair], rule: Rule, arms: int):
        self.pairs = pairs
        self._rule = rule
        self._arms = arms
        self._seen = estimates.seen(pairs, rule.higher_is_better, rule.resolution, rule.margin)
        self._comparable = estimates.first_unknown(pairs, rule.limit)
        self._intervals: dict[int, tuple[Any, Any]] = {}
        self._chances: dict[int, Any] = {}

    def decided(self, n: int, sharing: int) -> bool:
        """Whether the arm is better, worse or practically equal after n seeds."""
        return self._state(n, sharing)[0] != "undecided"

    def futile(self, n: int, sharing: int) -> bool:
        """Whether a decision by the last seed is unlikely. Error rates do not rest on it (non-binding)."""
        if sharing not in self._chances:
            self._chances[sharing] = self._chance(sharing)
        looked = max(FUTILE_FROM, self._rule.least) <= n < self._rule.most
        return looked and bool(self._chances[sharing][n - 1] < FUTILE_BELOW)

    def verdict(self, n: int, sharing: int) -> Verdict:
        """The verdict after n seeds."""
        state, used = self._state(n, sharing)
        futile = state == "undecided" and self.futile(n, sharing)
        ends = self._ends(n, used, state, futile)
        return _verdict(state, self.pairs[:n], self._seen, ends, self._rule, self._rule.alpha / used, futile)

    def _ends(self, n: int, sharing: int, state: State, futile: bool) -> tuple[float, float]:
        """The interval of a verdict: where an arm ends, nothing more is spent, and it is that of a last look.

        But the end on which "better" or "worse" rests is that of the look that found it.
        """
        low, high = self._interval(n, sharing)
        if futile:
            return self._last_interval(n, sharing)
        if state not in ("better", "worse"):
            return low, high
        last_low, last_high = self._last_interval(n, sharing)
        return (low, last_high) if low > 0 else (last_low, high)

    def _state(self, n: int, sharing: int) -> tuple[State, int]:
        """What the looks at n say, and by how many arms the error rate is divided for it."""
        state = state_of(*self._interval(n, sharing), self._rule.higher_is_better, 0.0)
        if state != "undecided":
            return state, sharing
        equal = n < self._comparable and estimates.inside(*self._interval(n, self._arms), self._rule.margin)
        return ("practically equal", self._arms) if equal else (state, sharing)

    def _interval(self, n: int, sharing: int) -> tuple[float, float]:
        if n < self._rule.least:
            return -math.inf, math.inf
        if sharing not in self._intervals:
            critical = _critical(self._rule, self._rule.alpha / sharing)
            ends = estimates.interval(self._seen, critical[1 : len(self.pairs) + 1])
            self._intervals[sharing] = tuple(end.tolist() for end in ends)
        low, high = self._intervals[sharing]
        return low[n - 1], high[n - 1]

    def _last_interval(self, n: int, sharing: int) -> tuple[float, float]:
        rule = self._rule
        critical = last_critical_value(rule.alpha / sharing, rule.least, n, rule.horizon)
        low, high = estimates.interval(self._seen, np.full(len(self.pairs), critical))
        return float(low[n - 1]), float(high[n - 1])

    def _chance(self, sharing: int) -> Any:
        """At each look, the chance of a decision at the last one."""
        rule, seen = self._rule, self._seen
        differs, equal = (float(_critical(rule, rule.alpha / share)[rule.most]) for share in (sharing, self._arms))
        margin = np.where(seen.n < self._comparable, rule.margin, 0.0)
        return chance_at_the_end(seen.n, seen.mean, seen.deviation, rule.most, differs, equal, margin)


def _critical(rule: Rule, alpha: float) -> Any:
    return critical_values(alpha, rule.least, rule.most, rule.horizon)


def _verdict(
    state: State,
    pairs: Sequence[Pair],
    seen: Moments,
    ends: tuple[float, float],
    rule: Rule,
    level: float,
    futile: bool = False,
    name: str = RULE,
) -> Verdict:
    n = len(pairs)
    mean, deviation = (float(seen.mean[n - 1]), float(seen.deviation[n - 1])) if n else (math.nan, math.inf)
    arm_failures, control_failures = (sum(pair[side] is None for pair in pairs) for side in (0, 1))
    wins = estimates.superiority(pairs, rule.higher_is_better)
    return Verdict(state, n, mean, deviation, *ends, wins, level, arm_failures, control_failures, futile, name)


def state_of(low: float, high: float, higher_is_better: bool, margin: float) -> State:
    """What an interval of the difference says."""
    if estimates.excludes_0(low, high):
        return "better" if (low > 0) == higher_is_better else "worse"
    return "practically equal" if estimates.inside(low, high, margin) else "undecided"


def narrowing(pairs: Sequence[Pair], rule: Rule, verdict: Verdict) -> list[dict[str, float]]:
    """Difference, mean and interval after each seed, as they were seen then; the last interval is the verdict's."""
    pairs = pairs[: verdict.n]
    seen = estimates.seen(pairs, rule.higher_is_better, rule.resolution, rule.margin)
    low, high = estimates.interval(seen, _critical(rule, verdict.level)[1 : len(pairs) + 1])
    each = estimates.differences(pairs, rule.higher_is_better, rule.resolution)
    low[-1:], high[-1:] = verdict.low, verdict.high
    rows = np.column_stack([each, seen.mean, low, high]).tolist()
    return [{"difference": row[0], "mean": row[1], "low": row[2], "high": row[3]} for row in rows]


def of_fixed_runs(pairs: Sequence[Pair], rule: Rule, alpha: float) -> Verdict:
    """The verdict of one look at pairs whose number was fixed beforehand; `alpha` is already divided among the arms."""
    seen = estimates.seen(pairs, rule.higher_is_better, rule.resolution, rule.margin)
    ends = estimates.paired_t(len(pairs), float(seen.mean[-1]), float(seen.deviation[-1]), alpha)
    known = estimates.first_unknown(pairs, rule.limit) > len(pairs)  # else nobody knows that the two are near
    state = state_of(*ends, rule.higher_is_better, rule.margin if known else 0.0)
    return _verdict(state, pairs, seen, ends, rule, alpha, name=FIXED_PAIRED)


def of_unpaired_runs(arm: Sequence[float | None], control: Sequence[float | None], rule: Rule, alpha: float) -> Verdict:
    """The verdict of one look at runs that cannot be paired; `alpha` is already divided among the arms.

    A failed training, None, counts as the worst score of either side.
    """
    scores = [score for score in (*arm, *control) if score is not None]
    worst = (min if rule.higher_is_better else max)(scores, default=0.0)
    ours, theirs = ([worst if score is None else score for score in side] for side in (arm, control))
    mean, low, high = estimates.welch(ours, theirs, alpha)
    known = None not in (*arm, *control)
    return Verdict(
        state_of(low, high, rule.higher_is_better, rule.margin if known else 0.0),
        n=min(len(arm), len(control)),
        mean=mean,
        deviation=math.nan,
        low=low,
        high=high,
        superiority=math.nan,
        level=alpha,
        arm_failures=list(arm).count(None),
        control_failures=list(control).count(None),
        rule=FIXED_UNPAIRED,
    )
