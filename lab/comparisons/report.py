"""The terminal output of a comparison: its live table and its result."""

import statistics

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from lab.comparisons.findings import Findings, sentence, sentences, signed
from lab.comparisons.run import ComparisonResult
from lab.formatting import number


class LiveTable:
    """The table of a comparison while it runs."""

    def __init__(self, console: Console):
        self._live = Live(console=console, transient=True, auto_refresh=False)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show(self, findings: Findings) -> None:
        """Redraw the table."""
        self._live.update(table(findings), refresh=True)


def table(findings: Findings) -> Table:
    """A row per arm: seeds, mean ± sd, difference from the control, confidence sequence, e-value, verdict."""
    c = findings.comparison
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    names = ("seeds", f"{c.measure}, mean ± sd", f"minus {c.control}", "sequence", "E", "P(better)")
    drawn.add_column(c.name)
    for name in names:
        drawn.add_column(name, justify="right")
    drawn.add_column("verdict")
    drawn.add_row(c.control, *_scores(findings, c.control), "", "", "", "", "control", style="dim")
    for arm, verdict in findings.verdicts.items():
        known = verdict.n > 0
        cells = [
            signed(verdict.mean) if known else "–",
            f"{signed(verdict.low)} … {signed(verdict.high)}",
            f"{verdict.e_value:.3g}",
            f"{verdict.superiority:.2f}" if known else "–",
        ]
        state = f"{verdict.state}, {verdict.n} seeds" if verdict.decided else verdict.state
        drawn.add_row(arm, *_scores(findings, arm), *cells, state)
    return drawn


def _scores(findings: Findings, arm: str) -> tuple[str, str]:
    scores = [score for score in findings.scores.of(arm).values() if score is not None]
    if not scores:
        return "0", "–"
    deviation = f" ± {number(statistics.stdev(scores))}" if len(scores) > 1 else ""
    return str(len(scores)), f"{number(statistics.fmean(scores))}{deviation}"


def summary(result: ComparisonResult) -> RenderableType:
    """The table, a sentence for each arm, and where the comparison is recorded."""
    findings = result.findings
    c = findings.comparison
    threshold = f"E ≥ {1 / c.alpha_per_arm:.3g} decides (error rate {c.alpha:g} over all arms and looks)"
    lines = [f"• {sentence}" for sentence in sentences(findings)]
    lines += ["", f"[dim]decided by[/dim]  {threshold}; margin {number(c.margin)}"]
    lines += [f"[dim]time[/dim]        {result.seconds:.0f} s"]
    if result.run_id:
        lines.append(f"[dim]run[/dim]         {result.run_id} (its artifact comparison.html shows the figures)")
    if result.delivery.pending:
        lines.append(f"[yellow]{result.delivery.message}[/yellow]")
    return Group("", table(findings), "", *lines)


def of_runs(findings: Findings, unpaired: bool) -> RenderableType:
    """The table and a sentence for each group of existing runs."""
    welch = "not paired: Welch's interval, valid for a number of runs fixed in advance"
    how = welch if unpaired else "paired by seed"
    lines = [f"• {sentence(findings, arm, verdict)}" for arm, verdict in findings.verdicts.items()]
    return Group("", table(findings), "", *lines, "", f"[dim]{how}[/dim]")
