"""How often verdicts err, and how many seeds they take: the rule, the one used before, and one fixed look."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from benchmarks.measuring import Size, Table, Target
from numpy.typing import NDArray
from simulations import ALPHA, MOST, NULLS, RULE, Outcomes, simulate, simulate_anytime_valid, simulate_arms

from lab.comparisons.statistics import chances, estimates
from lab.comparisons.statistics.boundaries import critical_values

FIXED = 29  # seeds of the fixed design
CHUNK = 5_000  # simulations at a time
EFFECTS = (0.0, 0.2, 0.33, 0.5, 0.674, 1.0, 1.5, 2.0)  # differences, in standard deviations
HELD = [name for name in NULLS if name != "skewed: lognormal, σ = 1.5" and not name.startswith("one arm")]
ARMS = (1, 2, 3, 4, 5)

Array = NDArray[np.float64]
Row = tuple[str, ...]


def measure(size: Size) -> Table:
    """Looking after every seed from 5 to 30, at an error rate of 0.05."""
    wrong = {name: _wrong(name, size.simulations) for name in NULLS}
    rows = [(f"wrong, {name}", *map(_percent, rates)) for name, rates in wrong.items()]
    families = {arms: _family(arms, size.simulations) for arms in ARMS}
    rows += [
        (f"wrong in any of {arms} arms", _percent(before), _percent(now), "")
        for arms, (before, now) in families.items()
    ]
    rows += (
        _skewed_families(size.simulations)
        + _planned(size.simulations)
        + _equal(size.simulations)
        + _effects(size.simulations)
    )
    rows += _third_arm(size.simulations) + _chances(size.simulations // 40)
    held = [wrong[name][1] for name in HELD]
    power = _decided(0.674, size.simulations)
    return Table(
        "Verdicts",
        ("what", "rule before: anytime-valid t", "rule: group-sequential t", f"one look at {FIXED}"),
        rows,
        f"{size.simulations:,} simulated comparisons a row, seeds 5..{MOST}. Wrong: better or worse where the mean "
        "difference is 0. Effects are in standard deviations of the paired difference. A collapse is a loss of 0.5 "
        "beside noise of 0.02: an outcome that no seed has shown yet cannot be allowed for.",
        [
            Target("wrong verdicts, normal differences, looking after every seed", wrong["normal"][1], ALPHA),
            Target(
                "wrong verdicts, worst of all rows but lognormal 1.5 and one arm that collapses",
                max(held),
                ALPHA,
            ),
            Target(
                "comparisons of 1 to 5 arms with a wrong verdict, the worst",
                max(now for _, now in families.values()),
                ALPHA,
            ),
            Target("decided by 30 seeds, difference of 0.674 standard deviations", power, 0.85, at_least=True),
        ],
    )


def _chunks(simulations: int, seed: int, draw: Callable[[np.random.Generator, int], Array]) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [draw(rng, min(CHUNK, simulations - start)) for start in range(0, simulations, CHUNK)]


def _wrong(name: str, simulations: int) -> tuple[float, float, float]:
    """Before, now, and one look."""
    chunks = _chunks(simulations, 0, lambda rng, count: NULLS[name](rng, (count, MOST)))
    before = np.concatenate([simulate_anytime_valid(draws) > 0 for draws in chunks])
    now = np.concatenate([simulate(draws, give_up=False).differs for draws in chunks])
    fixed = np.concatenate([_fixed(draws) for draws in chunks])
    return float(before.mean()), float(now.mean()), float(fixed.mean())


def _fixed(draws: Array) -> NDArray[np.bool_]:
    """Whether a t-test of the first 29 finds a difference."""
    seen = estimates.moments(draws[:, :FIXED])
    with np.errstate(invalid="ignore"):
        t = math.sqrt(FIXED) * np.abs(seen.mean[:, -1]) / seen.deviation[:, -1]
    return t > -_student(FIXED - 1, ALPHA / 2)


def _student(nu: int, p: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(nu, p))


def _family(arms: int, simulations: int) -> tuple[float, float]:
    """How often any of several arms, all like the control, is found to differ from it."""

    def draw(rng: np.random.Generator, count: int) -> Array:
        return rng.normal(size=(count, arms, MOST)) - rng.normal(size=(count, 1, MOST))

    before, now = [], []
    for draws in _chunks(simulations, 1, draw):
        before.append(np.any([simulate_anytime_valid(draws[:, arm], ALPHA / arms) > 0 for arm in range(arms)], axis=0))
        now.append(simulate_arms(draws, give_up=False).differs.any(1))
    return float(np.concatenate(before).mean()), float(np.concatenate(now).mean())


def _skewed_families(simulations: int) -> list[Row]:
    """Five arms whose differences are skewed, each for itself."""
    rows = []
    for name in ("skewed: exponential", "skewed: lognormal, σ = 0.5", "skewed: lognormal, σ = 1"):
        chunks = _chunks(simulations // 2, 7, lambda rng, count, name=name: NULLS[name](rng, (count, 5, MOST)))  # type: ignore[misc]
        now = np.concatenate([simulate_arms(draws, give_up=False).differs.any(1) for draws in chunks]).mean()
        rows.append((f"wrong in any of 5 arms, {name}", "", _percent(now), ""))
    return rows


def _planned(simulations: int) -> list[Row]:
    """Planned for fewer or more seeds than 30, and continued to 120 after 30."""
    rows = []
    for horizon, most in ((12, 12), (20, 20), (60, 60), (30, 120)):
        rule = replace(RULE, most=most, horizon=horizon)
        for name in ("normal", "skewed: exponential", "skewed: lognormal, σ = 1"):
            chunks = _chunks(
                simulations // 4, 2, lambda rng, count, name=name, most=most: NULLS[name](rng, (count, most))
            )  # type: ignore[misc]
            before = np.concatenate([simulate_anytime_valid(draws) > 0 for draws in chunks]).mean()
            now = np.concatenate([simulate(draws, rule, give_up=False).differs for draws in chunks]).mean()
            plan = f"planned for {horizon} seeds" + (f", continued to {most}" if most > horizon else "")
            rows.append((f"wrong, {name}, {plan}", _percent(before), _percent(now), ""))
    return rows


def _equal(simulations: int) -> list[Row]:
    """Practically equal, wrongly at a difference of exactly the margin, and rightly at none."""
    rows = []
    for margin in (0.5, 0.75, 1.0):
        rule = replace(RULE, margin=margin)
        for name in ("normal", "skewed: exponential"):
            draws = _chunks(simulations, 3, lambda rng, count, name=name: NULLS[name](rng, (count, MOST)))  # type: ignore[misc]
            rates = [
                np.concatenate([simulate(chunk + shift, rule).equal for chunk in draws]).mean()
                for shift in (-margin, margin, 0.0)
            ]
            label = f"practically equal, margin of {margin:g} standard deviations, {name}"
            rows.append((f"{label}: wrongly, at the margin", "", _percent(max(rates[:2])), ""))
            rows.append((f"{label}: rightly, without a difference", "", _percent(rates[2]), ""))
    return rows


def _effect(effect: float, simulations: int) -> tuple[list[Array], Outcomes]:
    chunks = _chunks(simulations, 4, lambda rng, count: rng.normal(effect, 1, (count, MOST)))
    found = [simulate(draws) for draws in chunks]
    fields = ("n", "differs", "equal", "futile", "low", "high")
    return chunks, Outcomes(*(np.concatenate([getattr(one, name) for one in found]) for name in fields))


def _decided(effect: float, simulations: int) -> float:
    return float(_effect(effect, simulations)[1].differs.mean())


def _effects(simulations: int) -> list[Row]:
    """Decided by 30 seeds and mean number of seeds; how often the interval holds the truth when a comparison ends."""
    rows, intervals = [], []
    for effect in EFFECTS:
        chunks, now = _effect(effect, simulations)
        before = np.concatenate([simulate_anytime_valid(draws) for draws in chunks])
        patient = np.concatenate([simulate(draws, give_up=False).n for draws in chunks]).mean()
        fixed = np.concatenate([_fixed(draws) for draws in chunks]).mean()
        rows.append(
            (
                f"difference of {effect:g}: decided, mean seeds",
                f"{_percent((before > 0).mean())}, {np.where(before > 0, before, MOST).mean():.1f}",
                f"{_percent(now.differs.mean())}, {now.n.mean():.1f} ({patient:.1f} without giving up)",
                f"{_percent(fixed)}, {FIXED}",
            )
        )
        held = ((now.low <= effect) & (effect <= now.high)).mean()
        intervals.append((f"difference of {effect:g}: the interval at the end holds it", "", _percent(held), ""))
    return rows + intervals


def _third_arm(simulations: int) -> list[Row]:
    """Three arms, two of them clearly better: how often the third, better by 0.674, is decided."""

    def draw(rng: np.random.Generator, count: int) -> Array:
        return rng.normal(size=(count, 3, MOST)) + np.array([2.0, 2.0, 0.674])[:, None]

    before, now = [], []
    for draws in _chunks(simulations // 4, 5, draw):
        before.append(simulate_anytime_valid(draws[:, 2], ALPHA / 3) > 0)
        now.append(simulate_arms(draws).differs[:, 2])
    rates = (_percent(np.concatenate(found).mean()) for found in (before, now))
    return [("third arm, difference of 0.674, beside two of 2: decided", *rates, "")]


def _chances(comparisons: int) -> list[Row]:
    """What came of the chances that further seeds decide; effects drawn evenly from 0 to 1."""
    rng = np.random.default_rng(6)
    stated, came = [], []
    for now, most in ((10, 30), (30, 60)):
        rule, critical = replace(RULE, most=most), critical_values(ALPHA, RULE.least, most)
        draws = rng.normal(size=(4 * comparisons, most)) + rng.uniform(0, 1, (4 * comparisons, 1))
        low, high = estimates.interval(estimates.moments(draws), critical[1:])
        decided = (low > 0) | (high < 0)
        for row in np.flatnonzero(~decided[:, :now].any(1))[: comparisons // 2]:
            pairs = [(float(value), 0.0) for value in draws[row, :now]]
            stated.append(chances.chance_of_decision(pairs, rule, ALPHA, most))
            came.append(bool(decided[row].any()))
    rows = []
    for least, most in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        chosen = [truth for chance, truth in zip(stated, came, strict=True) if least <= chance < most]
        share = _percent(float(np.mean(chosen))) if chosen else "–"
        rows.append(
            (
                f"chance of a decision stated as {100 * least:.0f} to {min(100 * most, 100):.0f} %: came true",
                "",
                share,
                "",
            )
        )
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
