"""Reproduce a run: train it again, or test it again, from its own record, and compare the two."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from lightning.pytorch.callbacks import Callback

from lab.errors import LabError
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import TESTED_KINDS, StoredRun
from lab.tracking.reading.tables import open_tables
from lab.training import provenance, records
from lab.training import run as training
from lab.training.building import Built, build
from lab.training.checkpoints.callback import load_weights
from lab.training.checkpoints.files import Damaged
from lab.training.records import LossChain
from lab.training.starting_point import StartingPoint
from lab.training.trainer import evaluate, make_trainer, silence_libraries

TOLERANCE = 0.01  # relative: what another order of summation on another machine may add up to in a training
LAB = "version.lab"
ROUNDING = 1e-6  # relative: what another version of the lab may measure otherwise of the same weights
# Never equal in two runs, or left out where a metric takes long.
NOT_COMPARED = ("system/", "seconds_per_epoch", "samples_per_second", "low/", "high/", "quick_baseline/")
Verdict = Literal["BIT-EXACT", "WITHIN TOLERANCE", "DIFFERS"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Reproduction:
    """The verdict, the differences between the two runs, and possible reasons for them, a line each.

    `measured_alike` says whether the same version of the lab measured both.
    """

    result: training.Result
    verdict: Verdict
    differences: list[str]
    explanations: list[str]
    measured_alike: bool = True


def reproduce(name: str, callbacks: Sequence[Callback], say: Say) -> Reproduction:
    """Train a finished run again, as a new run, and compare the two.

    `say` prints a line. Raises LabError before anything is recorded, also where the data changed.
    """
    run = stored_runs.find(name)
    if run.tags.get("lab.kind") == "fold":
        raise LabError(f"run {run.id} is a part of a cross-validation; `lab run {run.name}` trains that fold by itself")
    if run.tags.get("lab.kind") not in TESTED_KINDS:
        raise LabError(f"run {run.id} was not written by `lab run`: its record does not suffice to train it again")
    if run.status != "FINISHED":
        raise LabError(
            f"run {run.id} is {run.status}: only finished runs can be compared; `lab resume {run.id}` finishes it"
        )
    experiment = provenance.recorded_experiment(run)
    code = provenance.code_differences(run)
    for line in code:
        say(line)
    if code and (back := provenance.commands_to_restore_code(run)):
        say(f"the code at that commit: {'; '.join(back)}")
    start = StartingPoint(tags={"lab.reproduces": run.id}, check=lambda built: _check(run, built))
    result = training.run(experiment, callbacks, start)
    if result.run_id is None:
        raise LabError("the records of the new run are not sent yet; compare the two when the store answers again")
    return _compare(run, stored_runs.find(result.run_id), result)


def _check(run: StoredRun, built: Built) -> None:
    try:
        provenance.check_same_data(run, built)
    except LabError as error:
        advice = "cannot reproduce: the data changed; restore it, or start a new run"
        raise LabError(*error.lines, advice) from None


def _compare(old: StoredRun, new: StoredRun, result: training.Result) -> Reproduction:
    """Compare two runs of the same settings: the losses of all batches, and every recorded metric."""
    lines: list[str] = []
    before, now = _loss_chain(old), _loss_chain(new)
    if before is None or now is None:
        lines.append("the run saved no per-batch losses; only metrics are compared")
    elif (batch := before.first_difference(now)) is not None:
        lines.append(_loss_difference(before, now, batch, result.epochs))
    metrics = _metrics(old, new)
    alike = old.tags.get(LAB) == new.tags.get(LAB)
    unequal = metrics[metrics["difference"] > (0 if alike else ROUNDING)]
    if len(unequal):
        lines.append(_largest_difference(unequal))
    exact = not lines and not len(unequal)
    within = bool((metrics["difference"] <= TOLERANCE).all())
    verdict: Verdict = "BIT-EXACT" if exact else "WITHIN TOLERANCE" if within else "DIFFERS"
    return Reproduction(result, verdict, lines, [] if exact else provenance.differences(old), alike)


def _loss_chain(run: StoredRun) -> LossChain | None:
    try:
        return records.read_loss_chain(run.artifact(records.LOSS_CHAIN_FILE))
    except LabError:
        return None


def _loss_difference(before: LossChain, now: LossChain, batch: int, epochs: int) -> str:
    """The first batch (from 0) whose losses differ, as a sentence."""
    if batch >= min(len(before.losses), len(now.losses)):
        return f"the losses are equal until one run ends: {len(before.losses)} batches before, {len(now.losses)} now"
    per_epoch = max(len(now.losses) // max(epochs, 1), 1)
    step = f"step {batch + 1} (epoch {batch // per_epoch + 1}, batch {batch % per_epoch + 1})"
    losses = f"{before.losses[batch]:.9g} before, {now.losses[batch]:.9g} now"
    return f"the losses differ from {step} on: {losses}"


def _metrics(old: StoredRun, new: StoredRun) -> pd.DataFrame:
    """Every recorded value of both runs, and their relative difference."""
    if old.tags.get(LAB) == new.tags.get(LAB):
        recorded = old.metrics.keys() | new.metrics.keys()
    else:  # version 0.2 recorded the learning rate of the next epoch, and no intervals
        recorded = (old.metrics.keys() & new.metrics.keys()) - {"lr"}
    names = sorted(name for name in recorded if not name.startswith(NOT_COMPARED))
    table = open_tables().histories([old.id, new.id], names)
    values = table.groupby(["metric", "step", "run"])["value"].last().unstack("run")
    values = values.reindex(columns=[old.id, new.id]).set_axis(["before", "now"], axis=1)
    pairs = zip(values["before"], values["now"], strict=True)
    values["difference"] = [_relative_difference(before, now) for before, now in pairs]
    return values


def _relative_difference(before: float, now: float) -> float:
    """Relative to the larger value; 0 for NaN and NaN, infinite for NaN and a number."""
    if before == now or (math.isnan(before) and math.isnan(now)):
        return 0.0
    difference = abs(before - now) / max(abs(before), abs(now))
    return math.inf if math.isnan(difference) else difference


def _largest_difference(unequal: pd.DataFrame) -> str:
    """The value that differs most, as a sentence."""
    metric, step = unequal["difference"].idxmax()
    worst = unequal.loc[(metric, step)]
    return (
        f"{len(unequal)} recorded values differ, most of all {metric} at {step}: {worst['before']:.6g} before, "
        f"{worst['now']:.6g} now (by {worst['difference']:.2%}; the tolerance is {TOLERANCE:.0%})"
    )


def as_lines(reproduction: Reproduction) -> list[str]:
    """The outcome for the terminal."""
    lines = [reproduction.verdict, *reproduction.differences]
    if reproduction.verdict == "BIT-EXACT" and reproduction.measured_alike:
        return [*lines, "the loss of every step and every recorded metric are equal, to the last bit"]
    if reproduction.verdict == "BIT-EXACT":
        return [*lines, "the loss of every step is equal to the last bit, and every metric but for its rounding"]
    if not reproduction.explanations:
        return [*lines, "code, data, versions and processor are the same: some randomness is not seeded"]
    return [*lines, "possible reasons:", *(f"  {line}" for line in reproduction.explanations)]


def test_again(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Test metrics by full name: measured now, and as the run logged them; raises LabError.

    Metrics that the version of the run did not have are left out.
    """
    run = stored_runs.find(name)
    logged = {name: value for name, value in run.metrics.items() if name.startswith("test/")}
    if not logged:
        raise LabError(f"run {run.id} is {run.status} and has no test metrics: it ended before testing")
    built = build(provenance.evaluated_experiment(run))
    provenance.check_same_data(run, built)
    try:
        again = test(built, run.artifact("checkpoints/best.ckpt"))
    except Damaged as damage:
        raise LabError(f"run {run.id} cannot be tested: {damage}") from None
    return {name: value for name, value in again.items() if name in logged}, logged


def test(built: Built, checkpoint: Path) -> dict[str, float]:
    """The test metrics, by full name, of the weights in a checkpoint."""
    silence_libraries()
    load_weights(built.module, checkpoint)
    return evaluate(make_trainer(built, alone=True), built)
