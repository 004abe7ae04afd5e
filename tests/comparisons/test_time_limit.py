"""Comparisons within a time: planned by the clock alone, ended in time, with a verdict that is as valid as any."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import warm
from simulations import ALPHA, MOST, NULLS, simulate

from lab.comparisons import comparison, run
from lab.comparisons.findings import sentences
from lab.comparisons.run import ComparisonResult
from lab.comparisons.scores import Scores
from lab.comparisons.statistics.design import Rule
from lab.comparisons.statistics.verdicts import decide
from lab.comparisons.time_limit import TimeLimit
from lab.errors import LabError

ALIKE = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.0101}}


def compare(minutes: float, said: list[str] | None = None, **changes: Any) -> ComparisonResult:
    content = {"base": "tiny", "arms": ALIKE, "margin": 0.0, "minutes": minutes} | changes
    plans = [] if said is None else said
    return run.run(comparison.parse("mine", "Which rate?", content), 1, lambda findings: plans.append(findings.plan))


def test_it_ends_in_time_with_the_verdict_of_the_rule_that_the_clock_planned(tiny: str) -> None:
    short = compare(30, seeds="5..6")
    assert (short.findings.planned, short.findings.design.rule.horizon) == (6, 6)
    assert short.findings.verdicts["two"].n == 6
    (line, *_) = sentences(short.findings)
    assert "--minutes 60" in line or "would not decide it either" in line
    said: list[str] = []
    other = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.0102}}
    minutes = 2 * short.seconds / 60  # other programs may take this machine's time
    result = compare(minutes, said, arms=other)
    verdict, rule = result.findings.verdicts["two"], result.findings.design.rule
    assert result.seconds <= 1.5 * 60 * minutes
    assert verdict.n >= 5
    assert said[0] == ""  # before the first trainings were measured
    assert said[-1] == f"about {result.findings.planned} seeds in {minutes:g} minutes"
    assert rule.horizon == result.findings.planned
    assert decide({"two": result.findings.scores.pairs("two", "one")}, rule)["two"] == verdict
    again = compare(minutes, arms=other).findings
    assert again.design.rule.horizon == rule.horizon  # what was planned when it began
    assert again.verdicts["two"].n >= verdict.n


def test_a_time_that_is_too_short_for_a_first_look_is_refused_with_the_time_it_takes(tiny: str) -> None:
    with pytest.raises(LabError, match=r"seeds fit into 0.02 minutes, and the first look needs 5; .* write --minutes "):
        compare(0.02, settings={"trainer.max_epochs": 20})


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(tiny: str, minutes: float) -> None:
    with pytest.raises(LabError, match="minutes: "):
        compare(minutes)


def test_minutes_on_the_command_line_are_for_files_and_take_the_place_of_those_in_it(
    tiny: str, workplace: Path
) -> None:
    (workplace / "experiments" / "comparisons" / "mine.yaml").write_text(
        "# Which rate?\nbase: tiny\narms:\n  one: {optimizer.lr: 0.01}\n  two: {optimizer.lr: 0.02}\nminutes: 9\n"
    )
    assert comparison.load("mine").minutes == 9
    assert comparison.load("mine", minutes=2.5).minutes == 2.5
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(LabError, match=r"^--minutes: must be above 0, not "):
            comparison.load("mine", minutes=wrong)
    process = warm.lab("compare", "a1", "b2", "--minutes", "5")
    assert process.communicate(timeout=60)[1].startswith("lab: --minutes: is for comparison files")


def scored(seconds: dict[str, list[float]], value: float = 0.0) -> Scores:
    scores = Scores()
    for arm, each in seconds.items():
        for seed, taken in enumerate(each, start=1):
            scores.add(arm, seed, value * seed, {"seconds": taken})
    return scores


def test_the_plan_is_made_of_seconds_alone() -> None:
    limit = TimeLimit(1.0, time.monotonic(), workers=2)
    seconds = {"a": [9.0, 2.0, 2.0], "b": [2.0, 4.0, 4.0]}  # the first training warms up
    plans = {limit.fits(scored(seconds, value), ("a", "b")) for value in (0.0, 1.0, -1e6)}
    assert plans == {19}  # of (2 + 4) / 2 seconds each, in a little less than 60
    assert limit.seed(scored(seconds), ("a", "b")) == pytest.approx(3.0)
    assert limit.allows(scored({}), ("a", "b"))  # nothing is known yet
    over = TimeLimit(1.0, time.monotonic() - 57)
    assert not over.allows(scored(seconds), ("a", "b"))
    assert over.allows(scored(seconds), ("a",))


@pytest.mark.parametrize("name", ["normal", "skewed: exponential"])
@pytest.mark.parametrize(("planned", "came"), [(14, 9), (14, 17), (60, 40), (40, 60)])
def test_the_error_rate_holds_where_the_clock_allows_fewer_or_more_seeds_than_planned(
    name: str, planned: int, came: int
) -> None:
    draws = NULLS[name](np.random.default_rng(0), (2_000, max(MOST, came)))
    rule = Rule(True, most=came, horizon=planned)
    assert simulate(draws, rule, give_up=False).differs.mean() <= ALPHA + 2 * math.sqrt(ALPHA / 2_000)
