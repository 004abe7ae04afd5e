"""What the terminal shows of a study, and the experiment file of its winner."""

import datetime
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table

from lab import experiment, yaml_files
from lab.numbers import number
from lab.studies.study import StudyResult
from lab.studies.winners import Candidate
from lab.whole_files import may_replace


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
    if result.final.delivery.waiting:
        yield "tracking", f"[yellow]{result.final.delivery.words}[/yellow]"


def keep_winner(result: StudyResult, replace: bool) -> str:
    """Write the winner's experiment file, after asking where one would be replaced; what was done, in words."""
    base = result.final.experiment.name
    path = experiment.FOLDER / f"{base}-best.yaml"
    if not may_replace(path, replace):
        return f"{path} stays as it is; --yes replaces it"
    path.write_text(_as_file(result), encoding="utf-8")
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
