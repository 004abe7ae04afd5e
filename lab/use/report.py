"""What the terminal shows of runs that are to be used."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from lab.numbers import number
from lab.tracking.reader import StoredRun


def best_runs(runs: Sequence[StoredRun], metric: str) -> RenderableType:
    """The best runs of an experiment by a metric at their best epochs, best first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("run", no_wrap=True)
    table.add_column("name")
    table.add_column(metric, justify="right")
    table.add_column("seed", justify="right")
    for rank, run in enumerate(runs, start=1):
        value = number(run.metrics[f"at_best/{metric}"])
        table.add_row(str(rank), run.id[:8], run.name, value, run.params.get("seed"))
    luck = "each value is of one seed, and the best of several is partly luck"
    return Group(table, "", f"best  {runs[0].id}", f"[dim]{luck}[/dim]")
