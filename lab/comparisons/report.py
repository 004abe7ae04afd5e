"""The terminal output of a comparison: its live table and its result."""

import math
import statistics

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from lab.comparisons.findings import Findings, failures, sentence, sentences
from lab.comparisons.run import ComparisonResult
from lab.comparisons.statistics.design import RULE
from lab.display import output
from lab.display.numbers import number, percent, signed


class LiveTable:
    """The table of a comparison while it runs."""

    def __init__(self, console: Console):
        self._console = console
        self._screen = output.screen(console)
        self._said = ""

    def __enter__(self) -> "LiveTable":
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.clear()

    def show(self, findings: Findings) -> None:
        """Redraw the table; say once how many seeds fit into the time."""
        if findings.plan != self._said:
            self._said = findings.plan
            self._console.print(findings.plan, highlight=False)
        self._screen.show(table(findings))


def table(findings: Findings) -> Table:
    """A row per arm: seeds and failures, mean ± sd, difference from the control with its interval, wins, verdict."""
    design = findings.design
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column(escape(design.name), no_wrap=True)
    for name in ("seeds", design.measure, f"minus {design.control}", "interval", "wins"):
        drawn.add_column(escape(name), justify="right", no_wrap=True)
    drawn.add_column("verdict")
    drawn.add_row(escape(design.control), *_scores(findings, design.control), "", "", "", "control", style="dim")
    for arm, verdict in findings.verdicts.items():
        cells = [
            signed(verdict.mean) if verdict.n else "–",
            f"{signed(verdict.low)} … {signed(verdict.high)}",
            percent(verdict.superiority) if math.isfinite(verdict.superiority) else "–",
        ]
        drawn.add_row(escape(arm), *_scores(findings, arm), *cells, verdict.state)
    return drawn


def _scores(findings: Findings, arm: str) -> tuple[str, str]:
    scores = [score for score in findings.scores.of(arm).values() if score is not None]
    failed = len(findings.scores.failures(arm))
    seeds = f"{len(findings.scores.of(arm))}{f', {failed} failed' if failed else ''}"
    if not scores:
        return seeds, "–"
    deviation = f" ± {number(statistics.stdev(scores))}" if len(scores) > 1 else ""
    return seeds, f"{number(statistics.fmean(scores))}{deviation}"


def summary(result: ComparisonResult) -> RenderableType:
    """The table, a sentence for each arm, and where the comparison is recorded."""
    findings = result.findings
    rule = findings.design.rule
    decided = f"{RULE}; error rate {rule.alpha:g} over all arms and looks, planned for {rule.horizon} seeds"
    lines = [escape(f"• {sentence}") for sentence in sentences(findings)]
    lines += ["", f"[dim]decided by[/dim]  {decided}; margin {number(rule.margin)}"]
    limit = f" of {findings.minutes:g} minutes" if findings.minutes else ""
    lines += [f"[dim]time[/dim]        {result.seconds:.0f} s{limit}"]
    if result.run_id:
        lines += [f"[dim]run[/dim]         {result.run_id}", f"[dim]report[/dim]      {escape(result.page)}"]
    if result.delivery.pending:
        lines.append(f"[yellow]{result.delivery.message}[/yellow]")
    return Group("", table(findings), "", *lines)


def of_runs(findings: Findings, unpaired: bool) -> RenderableType:
    """The table and a sentence for each group of existing runs."""
    how = "not paired by seed" if unpaired else "paired by seed"
    rule = "; ".join(sorted({verdict.rule for verdict in findings.verdicts.values()}))
    how = f"{how}; {rule}: valid for a number of runs that was fixed in advance"
    lines = [escape(f"• {sentence(findings, arm, verdict)}") for arm, verdict in findings.verdicts.items()]
    lines += [escape(f"• {line}") for line in failures(findings)]
    return Group("", table(findings), "", *lines, "", f"[dim]{how}[/dim]")
