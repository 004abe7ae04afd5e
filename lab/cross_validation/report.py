"""The terminal output of a cross-validation: its live table and its result."""

import math
import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.cross_validation.run import Result, failures
from lab.cross_validation.scores import RULE, FoldScores, Mean
from lab.display import output
from lab.display.numbers import number
from lab.display.standing import COLOURS, Baseline, standing
from lab.tracking.reading.baselines import QUICK, TRIVIAL

REFRESH_SECONDS = 0.2
MOST_COLUMNS = 5  # in a terminal of 80 characters
RECALL = "test/recall_"


class LiveTable:
    """The table of a cross-validation while it runs."""

    def __init__(self, console: Console):
        self._screen = output.screen(console)
        self._next_refresh = 0.0

    def __enter__(self) -> "LiveTable":
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.clear()

    def show(self, scores: FoldScores) -> None:
        """Redraw the table, unless that was a moment ago."""
        if time.monotonic() >= self._next_refresh:
            self._next_refresh = time.monotonic() + REFRESH_SECONDS
            self._screen.show(table(scores))


def table(scores: FoldScores) -> Table:
    """A row per fold with its test metrics and its state; then mean, deviation, interval and baselines."""
    names = columns(scores)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("fold, test", no_wrap=True)
    for name in (*names, "best epoch"):
        drawn.add_column(escape(name.removeprefix("test/")), justify="right", no_wrap=True)
    drawn.add_column("", no_wrap=True)
    for fold in range(1, scores.count + 1):
        metrics = scores.finished.get(fold, {})
        cells = [number(metrics.get(name)) for name in names] if metrics else [""] * len(names)
        best = f"{metrics['best_epoch']:.0f}" if metrics else ""
        drawn.add_row(f"{fold}/{scores.count}", *cells, best, _state(scores, fold))
    means = [scores.mean(name) for name in names]
    if means:
        drawn.add_row("[bold]mean[/bold]", *(f"[bold]{_shown(mean, 'value')}[/bold]" for mean in means), "", "")
        drawn.add_row("sd", *(_shown(mean, "deviation") for mean in means), "", "")
        drawn.add_row("95 % from", *(_shown(mean, "low") for mean in means), "", "")
        drawn.add_row("95 % to", *(_shown(mean, "high") for mean in means), "", "")
    for title, baseline in (("baseline", TRIVIAL), ("quick baseline", QUICK)):
        of_baseline = [scores.mean(f"{baseline}{name}") for name in names]
        if any(of_baseline):
            drawn.add_row(title, *(_shown(mean, "value") for mean in of_baseline), "", "", style="dim")
    return drawn


def columns(scores: FoldScores) -> list[str]:
    """The metrics that are shown: the first ones, without the recall of each class."""
    return [name for name in scores.metrics if not name.startswith(RECALL)][:MOST_COLUMNS]


def _state(scores: FoldScores, fold: int) -> str:
    if fold in scores.running:
        return f"epoch {scores.running[fold]}"
    return "failed" if fold in scores.failed else ""


def _shown(mean: Mean | None, field: str) -> str:
    value = math.nan if mean is None else getattr(mean, field)
    return number(value) if math.isfinite(value) else "–"


def summary(result: Result) -> RenderableType:
    """The table, the facts, and the next command."""
    name = " ".join([result.experiment.name, *result.experiment.overrides])
    again = f".venv/bin/lab run {name} --folds {result.scores.count}"
    following = (
        f"{again} trains the folds that failed again"
        if result.scores.failed
        else f".venv/bin/lab run {name} fold=1/{result.scores.count} trains a fold as a run of its own, with its model"
    )
    return Group("", outcome(result), f"[dim]next      [/dim]  {escape(following)}")


def outcome(result: Result) -> Group:
    """The table and the facts."""
    lines = (f"[dim]{label:10}[/dim]  {escape(text)}" for label, text in _facts(result))
    return Group(*_standing(result), table(result.scores), "", *lines)


def _standing(result: Result) -> list[str]:
    """How the mean stands against those of the baselines, and an empty line; nothing where there is none."""
    metric = f"test/{result.main_metric}"
    mean = result.scores.mean(metric)
    if mean is None:
        return []
    interval = (mean.low, mean.high) if math.isfinite(mean.low) else None
    named = _baselines(result)
    means = {name: result.scores.mean(f"{baseline}{metric}") for baseline, name in named.items()}
    found = [Baseline(name, of_baseline.value) for name, of_baseline in means.items() if of_baseline]
    shown = standing(metric, mean.value, interval, found, result.higher_is_better)
    return [f"[{COLOURS[shown.state]}]{escape(shown.sentence)}[/]", ""] if shown else []


def _baselines(result: Result) -> dict[str, str]:
    """What stands before the metrics of each baseline that was measured, and its name."""
    named = {TRIVIAL: f"the {result.baseline_name}", QUICK: result.quick_baseline_name}
    return {each: name for each, name in named.items() if any(map(result.scores.mean, _named(result.scores, each)))}


def _named(scores: FoldScores, baseline: str) -> list[str]:
    return [f"{baseline}{name}" for name in scores.metrics]


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    scores = result.scores
    yield from ((label, text) for label, text in result.notes if label != "fold")
    if scores.failed:
        yield "failed", f"{failures(scores)}; the mean is over the other {len(scores.finished)}"
    else:
        yield "folds", f"{scores.count}; every sample is tested once"
    if named := _baselines(result):
        yield "baselines", f"{' and '.join(named.values())}, the means over the same folds"
    if more := len(result.scores.metrics) - len(columns(result.scores)):
        yield "metrics", f"{more} more are in the run"
    yield "interval", f"95 %, of the mean; {RULE}"
    yield "seed", f"{result.experiment.seed}; the folds are the same for every seed"
    yield "time", f"{result.seconds:.1f} s"
    if result.run_id:
        yield "run", f"{result.run_id}, with a run for each fold"
    if result.delivery.pending:
        yield "tracking", result.delivery.message
