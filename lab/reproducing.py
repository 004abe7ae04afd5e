"""A run trained again from its own record, and how far the two agree."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from lightning.pytorch.callbacks import Callback

from lab import loss_chain, run_record, training
from lab.beginning import Beginning
from lab.building import Built
from lab.errors import LabError
from lab.loss_chain import LossChain
from lab.tracking import reader
from lab.tracking.names import WHOLE_RUNS
from lab.tracking.reader import StoredRun
from lab.tracking.tables import open_tables

TOLERANCE = 0.01  # of a value: what the order of sums on another machine may make of it by the end of a training
NOT_REPEATED = ("system/", "seconds_per_epoch", "samples_per_second")  # what no two runs have alike

Verdict = Literal["BIT-EXACT", "WITHIN TOLERANCE", "DIFFERS"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Reproduction:
    """What came of it: the verdict, how the two differ, and what may explain it, a line each."""

    result: training.Result
    verdict: Verdict
    differences: list[str]
    explanations: list[str]


def reproduce(name: str, shown: Sequence[Callback], say: Say) -> Reproduction:
    """Train a finished run again, as a new run; raises LabError before anything is written, where data changed too.

    `say` takes lines for a person.
    """
    run = reader.find(name)
    if run.tags.get("lab.kind") not in WHOLE_RUNS:
        raise LabError(f"run {run.id} was not written by `lab run`: its record is not enough to train it again")
    if run.status != "FINISHED":
        raise LabError(f"run {run.id} is {run.status}: there is no end to compare with; `lab resume {run.id}` goes on")
    experiment = run_record.experiment(run)
    code = run_record.code_differences(run)
    for line in code:
        say(line)
    if code and (back := run_record.ways_back(run)):
        say(f"the code of then: {'; '.join(back)}")
    beginning = Beginning(tags={"lab.reproduces": run.id}, check=lambda built: _check(run, built))
    result = training.run(experiment, shown, beginning)
    if result.run_id is None:
        raise LabError("the new run's records wait for the store; compare the two when it is back")
    return _compared(run, reader.find(result.run_id), result)


def _check(run: StoredRun, built: Built) -> None:
    try:
        run_record.check_data(run, built)
    except LabError as error:
        way = "a run on other data reproduces nothing; bring the data back, or begin a new run"
        raise LabError(*error.lines, way) from None


def _compared(old: StoredRun, new: StoredRun, result: training.Result) -> Reproduction:
    """The verdict on two runs of the same settings."""
    lines: list[str] = []
    then, now = _chain(old), _chain(new)
    if then is None or now is None:
        lines.append("the run kept no chain of losses; metrics alone are compared")
    elif (batch := then.parts_at(now)) is not None:
        lines.append(_parting(then, now, batch, result.epochs))
    metrics = _metrics(old, new)
    unequal = metrics[metrics["apart"] > 0]
    if len(unequal):
        lines.append(_farthest(unequal))
    exact = not lines and not len(unequal)
    within = bool((metrics["apart"] <= TOLERANCE).all())
    verdict: Verdict = "BIT-EXACT" if exact else "WITHIN TOLERANCE" if within else "DIFFERS"
    return Reproduction(result, verdict, lines, [] if exact else run_record.differences(old))


def _chain(run: StoredRun) -> LossChain | None:
    try:
        return loss_chain.read(run.artifact(loss_chain.FILE))
    except LabError:
        return None


def _parting(then: LossChain, now: LossChain, batch: int, epochs: int) -> str:
    """Where two chains part, in words."""
    if batch >= min(len(then.losses), len(now.losses)):
        return f"equal losses until one ends: {len(then.losses)} batches then, {len(now.losses)} now"
    per_epoch = max(len(now.losses) // max(epochs, 1), 1)
    place = f"step {batch + 1} (epoch {batch // per_epoch + 1}, batch {batch % per_epoch + 1})"
    losses = f"{then.losses[batch]:.9g} then, {now.losses[batch]:.9g} now"
    return f"the losses part at {place}: {losses}"


def _metrics(old: StoredRun, new: StoredRun) -> pd.DataFrame:
    """Every recorded value of both, and how far they are apart, relative to the larger one."""
    names = sorted(name for name in old.metrics.keys() | new.metrics.keys() if not name.startswith(NOT_REPEATED))
    table = open_tables().histories([old.id, new.id], names)
    values = table.groupby(["metric", "step", "run"])["value"].last().unstack("run")
    values = values.reindex(columns=[old.id, new.id]).set_axis(["then", "now"], axis=1)
    values["apart"] = [_apart(then, now) for then, now in zip(values["then"], values["now"], strict=True)]
    return values


def _apart(then: float, now: float) -> float:
    if then == now or (math.isnan(then) and math.isnan(now)):
        return 0.0
    apart = abs(then - now) / max(abs(then), abs(now))
    return math.inf if math.isnan(apart) else apart


def _farthest(unequal: pd.DataFrame) -> str:
    """The value that differs most, in words."""
    metric, step = unequal["apart"].idxmax()
    worst = unequal.loc[(metric, step)]
    return (
        f"{len(unequal)} recorded values differ, most {metric} at {step}: {worst['then']:.6g} then, "
        f"{worst['now']:.6g} now ({worst['apart']:.2%} apart; the tolerance is {TOLERANCE:.0%})"
    )


def as_lines(reproduction: Reproduction) -> list[str]:
    """What a person reads."""
    lines = [reproduction.verdict, *reproduction.differences]
    if reproduction.verdict == "BIT-EXACT":
        return [*lines, "the loss of every step and every recorded metric are equal, to the last bit"]
    if not reproduction.explanations:
        return [*lines, "code, data, versions and processor are the same: something in it is not seeded"]
    return [*lines, "what may explain it:", *(f"  {line}" for line in reproduction.explanations)]
