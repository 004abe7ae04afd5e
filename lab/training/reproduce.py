"""A run trained again, or tested again, from its own record, and how far the two agree."""

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
from lab.training.checkpoint_files import Damaged
from lab.training.checkpoints import load_weights
from lab.training.records import LossChain
from lab.training.run import StartingPoint
from lab.training.trainer import evaluate, make_trainer, quiet

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
    run = stored_runs.find(name)
    if run.tags.get("lab.kind") not in TESTED_KINDS:
        raise LabError(f"run {run.id} was not written by `lab run`: its record is not enough to train it again")
    if run.status != "FINISHED":
        raise LabError(f"run {run.id} is {run.status}: there is no end to compare with; `lab resume {run.id}` goes on")
    experiment = provenance.recorded_experiment(run)
    code = provenance.code_differences(run)
    for line in code:
        say(line)
    if code and (back := provenance.commands_to_restore_code(run)):
        say(f"the code of then: {'; '.join(back)}")
    beginning = StartingPoint(tags={"lab.reproduces": run.id}, check=lambda built: _check(run, built))
    result = training.run(experiment, shown, beginning)
    if result.run_id is None:
        raise LabError("the new run's records wait for the store; compare the two when it is back")
    return _compared(run, stored_runs.find(result.run_id), result)


def _check(run: StoredRun, built: Built) -> None:
    try:
        provenance.check_same_data(run, built)
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
    return Reproduction(result, verdict, lines, [] if exact else provenance.differences(old))


def _chain(run: StoredRun) -> LossChain | None:
    try:
        return records.read_loss_chain(run.artifact(records.LOSS_CHAIN_FILE))
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


def test_again(name: str) -> tuple[dict[str, float], dict[str, float]]:
    """Test metrics by full name: measured now, and as the run logged them; raises LabError."""
    run = stored_runs.find(name)
    logged = {name: value for name, value in run.metrics.items() if name.startswith("test/")}
    if not logged:
        raise LabError(f"run {run.id} is {run.status} and has no test metrics: it did not come to its test")
    built = build(provenance.recorded_experiment(run))
    provenance.check_same_data(run, built)
    try:
        return test(built, run.artifact("checkpoints/best.ckpt")), logged
    except Damaged as damage:
        raise LabError(f"run {run.id} cannot be tested: {damage}") from None


def test(built: Built, checkpoint: Path) -> dict[str, float]:
    """The test metrics, by full name, of the weights in a checkpoint."""
    quiet()
    load_weights(built.module, checkpoint)
    return evaluate(make_trainer(built.experiment), built)
