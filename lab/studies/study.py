"""A study from its space to its proven winner."""

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lab.config.experiment import Experiment
from lab.errors import LabError, TrainingFailed, did_you_mean
from lab.parallel.child_runs import ParentRun, ending, only_driver
from lab.parallel.jobs import prepared_data
from lab.parallel.workers import Workers, open_workers
from lab.signals import stop_on_signals
from lab.studies import figures, storage, winners
from lab.studies.search import Context, Counts, Objective, Search, counts
from lab.studies.space import Space, space_of
from lab.studies.winners import Candidate, FreshSeeds
from lab.tracking import store
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training import provenance
from lab.training import run as training
from lab.training.building import build

if TYPE_CHECKING:
    from optuna import Study


USUAL_METRICS = {"classification": "val/accuracy", "regression": "val/rmse", "forecasting": "val/rmse"}


@dataclass(frozen=True)
class Options:
    """How a study is run; `minutes` bounds the search, `top` trials are trained again on `seeds` fresh seeds."""

    trials: int = 30
    minutes: float = math.inf
    workers: int = 1
    sampler: storage.Sampler = "tpe"
    pruner: storage.Pruner = "hyperband"
    metric: str | None = None
    top: int = 3
    seeds: int = 5

    def check(self) -> None:
        """Raise LabError with a line for every number that makes no sense."""
        least = {"trials": self.trials, "workers": self.workers, "top": self.top, "seeds": self.seeds}
        wrong = [f"--{name}: must be at least 1, not {value}" for name, value in least.items() if value < 1]
        if not self.minutes > 0:
            wrong.append(f"--minutes: must be above 0, not {self.minutes:g}")
        if wrong:
            raise LabError(*wrong)


@dataclass(frozen=True)
class StudyResult:
    """What a study found: all candidates, the winner first, and the winner's run, which was tested."""

    name: str
    objective: Objective
    counts: Counts
    ranked: list[Candidate]
    importances: dict[str, float]
    final: training.Result
    seconds: float
    run_id: str | None

    @property
    def winner(self) -> Candidate:
        """The candidate with the best mean on fresh seeds."""
        return self.ranked[0]


class Watch(Protocol):
    """Shows a person how far a study is."""

    def searching(self, done: Counts, going_on: int, best: "tuple[int, float] | None") -> None:
        """A trial began, reported or ended; `best` is a trial's number and its score."""

    def proving(self, done: int, total: int) -> None:
        """A training on a fresh seed ended."""

    def testing(self) -> None:
        """The winner is trained and tested."""


def run(experiment: Experiment, options: Options, watch: Watch) -> StudyResult:
    """Search, prove on fresh seeds, test the winner; goes on where an earlier call stopped.

    Raises LabError before anything is written; TrainingFailed where no trial trained; Stopped.
    """
    options.check()
    space = space_of(experiment)
    objective = objective_of(experiment, options.metric)
    store.check_writable()
    storage.quiet_optuna()
    name = f"{experiment.name}-{space.fingerprint(objective.metric)}"
    with only_driver(name):
        workers = open_workers(options.workers)  # before `stop_on_signals`: Ray has signal handlers of its own
        try:
            study = _open(space, name, objective, options)
            with stop_on_signals():
                return _run(space, study, objective, options, workers, watch)
        finally:
            workers.close()


def objective_of(experiment: Experiment, metric: str | None) -> Objective:
    """The metric to search by; raises LabError where it is no validation metric of the experiment."""
    built = build(experiment, prepared_data(experiment))
    directions = {f"val/{name}": up for name, up in built.module.directions().items()}
    metric = metric or USUAL_METRICS[built.data.task]
    if metric not in directions:
        why = "test data is for the winner alone" if metric.startswith("test/") else f"no such metric '{metric}'"
        raise LabError(f"--metric: {why}; {did_you_mean(metric, directions)}")
    return Objective(metric, directions[metric])


def _open(space: Space, name: str, objective: Objective, options: Options) -> "Study":
    """The stored study, with a sampler that does not repeat an earlier session's choices."""
    experiment = space.experiment
    study = storage.open_study(name, objective.higher_is_better, space.fingerprint(objective.metric))
    seed = 10_000 * experiment.seed + len(study.get_trials(deepcopy=False))
    storage.note_driver(study, name)
    study.sampler = storage.make_sampler(options.sampler, options.trials, seed)
    study.pruner = storage.make_pruner(options.pruner, experiment.trainer["max_epochs"])
    return study


def _run(
    space: Space, study: "Study", objective: Objective, options: Options, workers: Workers, watch: Watch
) -> StudyResult:
    began = time.monotonic()
    outbox = Outbox()
    parent = outbox.tracker(study.user_attrs[storage.PARENT])
    tags = _tags(space.experiment, study.study_name)
    context = Context(space, study, objective, ParentRun(outbox, parent.id, tags))
    _start(context, parent, options)
    with ending(outbox, parent):
        ranked = _search_and_prove(context, options, workers, watch)
        watch.testing()
        final = _test(context, ranked[0])
        _keep_results(context, parent, ranked, final)
    return StudyResult(
        name=study.study_name,
        objective=objective,
        counts=counts(study),
        ranked=ranked,
        importances=figures.importances(study),
        final=dataclasses.replace(final, delivery=outbox.delivery),
        seconds=time.monotonic() - began,
        run_id=outbox.delivery.run_ids.get(parent.id),
    )


def _tags(experiment: Experiment, study_name: str) -> dict[str, str]:
    """The tags of every run of a study."""
    return provenance.tags() | {
        "lab.experiment": experiment.name,
        "lab.question": experiment.question,
        "lab.study": study_name,
        "data.fingerprint": prepared_data(experiment).fingerprint,
    }


def _start(context: Context, parent: Tracker, options: Options) -> None:
    """Begin the record of the study's own run, the same one whenever the study goes on."""
    experiment = context.space.experiment
    how = {"lab.kind": "study", "lab.metric": context.objective.metric, "lab.sampler": options.sampler}
    tags = {**context.family.tags, **how, "lab.pruner": options.pruner}
    parent.start(experiment.name, f"study {context.study.study_name}", experiment.settings(), tags)
    parent.text("config.yaml", experiment.to_yaml())


def _search_and_prove(context: Context, options: Options, workers: Workers, watch: Watch) -> list[Candidate]:
    """The candidates ranked on fresh seeds."""
    study = context.study
    search = Search(context, lambda search: watch.searching(counts(study), search.going_on, best(study)))
    search.run(workers, options.trials, time.monotonic() + 60 * options.minutes)
    if not counts(study).finished:
        raise TrainingFailed(_nothing_found(study))
    chosen = winners.candidates(context, options.top)
    first = context.space.experiment.seed + 1
    return FreshSeeds(context).run(chosen, range(first, first + options.seeds), workers, watch.proving)


def best(study: "Study") -> tuple[int, float] | None:
    """The number and score of the best trial so far."""
    try:
        trial = study.best_trial
    except ValueError:  # none is complete
        return None
    return trial.number, float(trial.value or 0.0)


def _nothing_found(study: "Study") -> str:
    reasons = [trial.user_attrs.get("lab.reason") for trial in study.get_trials(deepcopy=False)]
    known = [reason for reason in reasons if reason]
    said = f"; the last reason: {known[-1]}" if known else ""
    return f"no trial of {study.study_name} was trained to its end ({len(reasons)} tried){said}"


def _test(context: Context, winner: Candidate) -> training.Result:
    """Train the winner as `lab run` would, and test it: the one time that a study touches test data."""
    tags = {"lab.kind": "winner", "lab.study": context.study.study_name, "lab.candidate": winner.name}
    tracker = context.family.outbox.tracker(parent=context.family.parent)
    return training.train(winner.experiment, tracker, tags=tags)


def _keep_results(context: Context, parent: Tracker, ranked: list[Candidate], final: training.Result) -> None:
    """What the study's own run keeps: the table, the pictures, the winner's metrics."""
    parent.text("candidates.json", winners.as_json(ranked, context.objective))
    parent.text("study.html", figures.page(context.study, context.objective))
    scores = {f"fresh/{context.objective.metric}": ranked[0].mean}
    tested = {name: value for name, value in final.metrics.items() if name.startswith("test/")}
    parent.metrics(scores | tested, 0)
    parent.tags({"lab.winner": ranked[0].name})
