"""What the terminal shows of a study, live and at its end, and the experiment file of its winner."""

import datetime
import math
import time
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from lab.config import experiment, yaml_files
from lab.files import atomic_output, may_replace
from lab.formatting import number
from lab.studies.search import Counts
from lab.studies.study import Options, StudyResult
from lab.studies.winners import Candidate

SECONDS_BETWEEN = 0.2


def outcome(result: StudyResult) -> RenderableType:
    """The candidates: their score during the search beside that on fresh seeds; the winner's test; what mattered."""
    metric = result.objective.metric
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(result.final.experiment.name)
    table.add_column(f"{metric}\nin the search", justify="right")
    table.add_column("on fresh seeds\nmean ± sd", justify="right")
    table.add_column("seeds", justify="right")
    table.add_column("settings")
    for place, candidate in enumerate(result.ranked):
        settings = " ".join(f"{name}={_value(value)}" for name, value in candidate.values.items())
        cells = [candidate.name, number(candidate.search_score), fresh(candidate), str(len(candidate.fresh))]
        table.add_row(*cells, settings or "as in the file", style="bold" if place == 0 else "")
    return Group("", table, "", *[f"[dim]{name:10}[/dim]  {value}" for name, value in _facts(result)])


def fresh(candidate: Candidate) -> str:
    """Mean and standard deviation over fresh seeds."""
    return f"{number(candidate.mean)} ± {number(candidate.deviation)}" if candidate.fresh else "failed"


def _facts(result: StudyResult) -> Iterable[tuple[str, str]]:
    done, name = result.counts, result.objective.metric.partition("/")[2]
    yield "trials", f"{done.done}: {done.finished} finished, {done.pruned} pruned, {done.failed} failed"
    tested = number(result.final.metrics[f"test/{name}"])
    trivial = result.final.baseline.get(f"test/{name}")
    beside = f" (baseline {number(trivial)})" if trivial is not None else ""
    yield "winner", f"{result.ranked[0].name}: test/{name} {tested}{beside}, one seed ({result.final.experiment.seed})"
    shares = [f"{setting} {share:.2f}" for setting, share in result.importances.items()]
    yield "importance", "  ".join(shares[:6]) or "too few trials to say"
    yield "time", f"{result.seconds:.0f} s"
    yield "study", result.name
    if result.run_id:
        yield "run", f"{result.run_id} (its artifact study.html has the pictures)"
    if result.final.delivery.pending:
        yield "tracking", f"[yellow]{result.final.delivery.message}[/yellow]"


def keep_winner(result: StudyResult, replace: bool) -> str:
    """Write the winner's experiment file, after asking where one would be replaced; what was done, in words."""
    base = result.final.experiment.name
    path = experiment.FOLDER / f"{base}-best.yaml"
    if not may_replace(path, replace):
        return f"{path} stays as it is; --yes replaces it"
    with atomic_output(path) as temporary:
        temporary.write_text(_as_file(result), encoding="utf-8")
    return f"[dim]next[/dim]        make experiment NAME={base}-best  [dim]({path})[/dim]"


def _as_file(result: StudyResult) -> str:
    """The winner as an experiment, with where it comes from."""
    winner, metric = result.winner, result.objective.metric
    others = ", ".join(f"{other.name} {fresh(other)}" for other in result.ranked[1:])
    sections = {name: content for name, content in winner.experiment.written.items() if name != "search"}
    return (
        f"# {winner.experiment.question} With the settings that a study found.\n"
        "\n"
        f"# By `lab study {winner.experiment.name}`, {datetime.date.today()}: study {result.name}, {winner.name}.\n"
        f"# {metric} on {len(winner.fresh)} fresh seeds: {fresh(winner)} ({others}).\n"
        f"{yaml_files.write(sections)}"
    )


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class ProgressLine:
    """One line: what is going on, how far, the best so far, the time left. A study's Watch."""

    def __init__(self, console: Console, options: Options):
        self._options = options
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[said]}"),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self._task = self._progress.add_task("trials", total=options.trials, said="")
        self._due = 0.0
        self._began = time.monotonic()
        self._phase: tuple[str, float, float] | None = None  # its name, when it began, and what was done then

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *error: object) -> None:
        if self._phase is not None:
            self._progress.stop()

    def searching(self, done: Counts, going_on: int, best: tuple[int, float] | None) -> None:
        """Trials done, pruned, failed, the best so far, and the time left."""
        said = f"({done.pruned} pruned, {done.failed} failed, {going_on} going on)"
        if best:
            said += f"  best {best[1]:.4f} by trial {best[0]}"
        bound = self._began + 60 * self._options.minutes - time.monotonic()
        self._show("trials", done.done, self._options.trials, said, bound)

    def proving(self, done: int, total: int) -> None:
        """Trainings on fresh seeds."""
        self._show("fresh seeds", done, total, f"the best {self._options.top} trials, and the defaults")

    def testing(self) -> None:
        """The winner's own run."""
        self._show("test", 0, 1, "the winner is trained and tested")

    def _show(self, phase: str, done: float, total: float, said: str, bound: float = math.inf) -> None:
        now = time.monotonic()
        if self._phase is None or self._phase[0] != phase:
            self._progress.start()  # only now: a mistake in the settings is said without an empty line before it
            self._phase, self._due = (phase, now, done), 0.0
        if now < self._due:
            return
        self._due = now + SECONDS_BETWEEN
        _, began, before = self._phase
        if done > before:
            left = min((now - began) / (done - before) * (total - done), bound)
            said += f"  {_as_time(left)} left"
        self._progress.update(self._task, description=phase, completed=done, total=total, said=said)
        self._progress.refresh()


def _as_time(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
