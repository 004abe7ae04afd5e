"""The terminal output of a study: its progress line, its result, and the experiment file of its winner."""

import datetime
import math
import time
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from lab.config import experiment, yaml_files
from lab.display import output
from lab.display.numbers import number, signed
from lab.files import atomic_output, may_replace
from lab.studies.confirmation import Candidate, Mean, mean_of
from lab.studies.search import Counts
from lab.studies.study import PAGE, Options, StudyResult
from lab.tracking import store

REFRESH_SECONDS = 0.2
MOST_REASONS = 3  # of failed trials that are printed


class ProgressLine:
    """One line: the phase, the trials done, the best score so far, the time left. A study's Progress."""

    def __init__(self, console: Console, options: Options):
        self._options = options
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[text]}"),
            console=console,
            auto_refresh=False,
        )
        self._screen = output.screen(console)
        self._task = self._bar.add_task("trials", total=options.trials, text="")
        self._next_refresh = 0.0
        self._started = time.monotonic()
        self._phase: tuple[str, float, float] | None = None  # its name, its start, and the number done at its start

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.clear()

    def searching(self, counts: Counts, running: int, best: tuple[int, float] | None) -> None:
        """Show the trials done, pruned, failed and running, the best so far, and the time left."""
        text = f"({counts.pruned} pruned, {counts.failed} failed, {running} running)"
        if best:
            text += f"  best {best[1]:.4f} by trial {best[0]}"
        limit = self._started + 60 * self._options.minutes - time.monotonic()
        self._show("trials", counts.done, self._options.trials, text, limit)

    def confirming(self, done: int, total: int) -> None:
        """Show the trainings on fresh seeds."""
        self._show("fresh seeds", done, total, f"the best {self._options.top} trials, and the defaults")

    def testing(self) -> None:
        """Show that the winner is trained and tested."""
        self._show("test", 0, 1, "the winner is trained and tested")

    def _show(self, phase: str, done: float, total: float, text: str, limit: float = math.inf) -> None:
        now = time.monotonic()
        if self._phase is None or self._phase[0] != phase:
            self._phase, self._next_refresh = (phase, now, done), 0.0
        if now < self._next_refresh:
            return
        self._next_refresh = now + REFRESH_SECONDS
        _, started, before = self._phase
        if done > before:
            left = min((now - started) / (done - before) * (total - done), limit)
            text += f"  {_as_time(left)} left"
        self._bar.update(self._task, description=phase, completed=done, total=total, text=text)
        self._screen.show(self._bar.get_renderable())


def _as_time(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def summary(result: StudyResult) -> RenderableType:
    """Each candidate with its score in the search and on fresh seeds; the winner's test; the importances."""
    metric = result.objective.metric
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(result.final.experiment.name)
    table.add_column(f"{metric}\nin the search", justify="right")
    table.add_column("on fresh seeds\nmean, 95 % interval", justify="right")
    table.add_column("seeds", justify="right")
    table.add_column("against\ndefaults")
    table.add_column("settings", overflow="fold")
    for rank, candidate in enumerate(result.ranked):
        settings = " ".join(f"{name}={_value(value)}" for name, value in candidate.values.items())
        failed = len(candidate.scores) - len(candidate.fresh)
        seeds = f"{len(candidate.scores)}{f', {failed} failed' if failed else ''}"
        verdict = result.verdicts.get(candidate.name)
        cells = [candidate.name, number(candidate.search_score), _fresh_score(candidate), seeds]
        cells.append(verdict.state if verdict else "–")
        table.add_row(*cells, escape(settings) or "as in the file", style="bold" if rank == 0 else "")
    return Group("", table, "", *[f"[dim]{name:10}[/dim]  {value}" for name, value in _facts(result)])


def _fresh_score(candidate: Candidate) -> str:
    """The mean over fresh seeds with its interval, as text."""
    return _with_interval(mean_of(candidate.fresh)) if candidate.fresh else "failed"


def _with_interval(mean: Mean) -> str:
    if mean.n > 1 and not math.isfinite(mean.low):
        return f"{number(mean.value)} (no spread)"
    return f"{number(mean.value)} [{number(mean.low)}, {number(mean.high)}]" if mean.n > 1 else number(mean.value)


def _facts(result: StudyResult) -> Iterable[tuple[str, str]]:
    counts, name = result.counts, result.objective.metric.partition("/")[2]
    yield "trials", f"{counts.done}: {counts.finished} finished, {counts.pruned} pruned, {counts.failed} failed"
    for reason in result.reasons[:MOST_REASONS]:
        yield "failed", escape(reason)
    yield "verdict", _verdict(result)
    tested = number(result.final.metrics[f"test/{name}"])
    baseline = result.final.baseline.get(f"test/{name}")
    compared = f" (baseline {number(baseline)})" if baseline is not None else ""
    over = f"{_with_interval(result.tested)} over {result.tested.n} fresh seeds"
    yield "winner", f"{result.winner.name}: test/{name} {over}{compared}"
    yield "model", f"the stored one, of seed {result.final.experiment.seed} alone, has test/{name} {tested}"
    yield "importance", result.importance.sentence()
    yield "time", f"{result.seconds:.0f} s"
    yield "study", result.name
    if result.run_id:
        yield "run", result.run_id
        yield "report", escape(store.place_of(result.final.experiment.name, result.run_id, PAGE))
    if result.final.delivery.pending:
        yield "tracking", f"[yellow]{result.final.delivery.message}[/yellow]"


def _verdict(result: StudyResult) -> str:
    """Whether the winner is better than the defaults, by the test of comparisons."""
    verdict = result.verdicts.get(result.winner.name)
    if verdict is None:
        return "the experiment's own settings did best on fresh seeds"
    interval = f"{signed(verdict.mean)} [{signed(verdict.low)}, {signed(verdict.high)}] {result.objective.metric}"
    if verdict.decided:
        return f"{result.winner.name} is {verdict.state} than the defaults: {interval} on {verdict.n} fresh seeds"
    return f"undecided whether {result.winner.name} is better than the defaults: {interval}; --seeds may decide"


def write_winner(result: StudyResult, replace: bool) -> str:
    """Write the winner's experiment file, after asking before one is replaced; a line that says what was done."""
    base = result.final.experiment.name
    path = experiment.FOLDER / f"{base}-best.yaml"
    if not may_replace(path, replace):
        return f"{path} was not changed; --yes replaces it"
    with atomic_output(path) as temporary:
        temporary.write_text(_as_file(result), encoding="utf-8")
    return f"[dim]next[/dim]        make experiment NAME={base}-best  [dim]({path})[/dim]"


def _as_file(result: StudyResult) -> str:
    """The winner as an experiment file, with its origin in comments."""
    winner, metric = result.winner, result.objective.metric
    others = ", ".join(f"{other.name} {_fresh_score(other)}" for other in result.ranked[1:])
    sections = {name: content for name, content in winner.experiment.written.items() if name != "search"}
    return (
        f"# {winner.experiment.question} With the settings found by a study.\n"
        "\n"
        f"# By `lab study {winner.experiment.name}`, {datetime.date.today()}: study {result.name}, {winner.name}.\n"
        f"# {metric} on {len(winner.fresh)} fresh seeds: {_fresh_score(winner)} ({others}).\n"
        f"{yaml_files.write(sections)}"
    )


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
