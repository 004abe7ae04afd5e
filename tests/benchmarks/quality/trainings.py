"""Trainings: what `lab new` writes for a set, unedited, and the baselines on the same rows.

The five seeds train on five folds (four for training and validation, one for the test), so that each row is tested
once; a series, which is split by time, has the same test steps for every seed. The lab trains as in a comparison on
test data: as `lab run` does, without its records.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.measuring import workplace
from benchmarks.quality.kinds import KINDS, Kind
from benchmarks.quality.scores import LAB, Score

from lab.config.experiment import Experiment, load
from lab.parallel.jobs import Job, prepared_data, train_job
from lab.scaffold.writing import new

FOLDS = 5


def lab_scores(
    kind: str = "tables",
    overrides: Sequence[str] = (),
    names: Iterable[str] | None = None,
    seeds: Iterable[int] = range(FOLDS),
) -> dict[tuple[str, int], float]:
    """The lab's score for each set and seed, with overrides such as `optimizer.lr=0.01`."""
    seeds = list(seeds)
    with workplace(shipped=False):
        return {
            (name, seed): _of_lab(KINDS[kind], name, written(KINDS[kind], name, seed, overrides)).value
            for name in names or KINDS[kind].sets
            for seed in seeds
        }


def measure(kind: str, name: str, seed: int) -> list[Score]:
    """The scores of the lab and of all others on a set with a seed."""
    with workplace(shipped=False):
        return list(_measured(KINDS[kind], name, seed))


def _measured(kind: Kind, name: str, seed: int) -> Iterator[Score]:
    experiment = written(kind, name, seed)
    yield _of_lab(kind, name, experiment)
    yield from kind.others(name, kind.sets[name], prepared_data(experiment), seed)


def written(kind: Kind, name: str, seed: int, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment that `lab new` writes, on the fold of the seed; series and other ordered data have no folds."""
    if not Path("experiments", f"{name}.yaml").exists():
        new(name, *kind.write(name, kind.sets[name]))
    data = load(name).sections()["data"]
    ordered = data["kind"] == "series" or data.get("order_by")
    fold = [] if ordered else [f"fold={seed % FOLDS + 1}/{FOLDS}"]
    return load(name, [*fold, f"seed={seed}", *overrides])


def _of_lab(kind: Kind, name: str, experiment: Experiment) -> Score:
    job = Job(0, name, experiment.to_yaml(), test=True)
    began = time.perf_counter()
    outcome = train_job(job, lambda number, epoch, metrics: False)
    if outcome.state != "finished":
        raise RuntimeError(f"{name}: {outcome.reason}")
    value = kind.score(kind.sets[name], outcome.metrics)
    return Score(name, LAB, experiment.seed, value, time.perf_counter() - began)
