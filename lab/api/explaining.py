"""`lab.explain`: what a trained run pays attention to, and what it gets wrong."""

from typing import Any

import pandas as pd
from rich.console import RenderableType

from lab.api import calls
from lab.data.base import Split
from lab.display.output import Shown
from lab.errors import LabError
from lab.explanations import explain as explaining
from lab.explanations import explanation, report
from lab.tracking.reading import stored_runs


class Explanation(Shown, explanation.Explanation):
    """What was found; printed as the command prints it."""

    @property
    def importance_table(self) -> pd.DataFrame:
        """The mean fall of the metric for each part of the inputs, its sd, and all falls; empty without parts."""
        rows = self.importance.as_json()["parts"] if self.importance else []
        return pd.DataFrame(rows, columns=["name", "kind", "mean", "sd", "falls"]).set_index("name")

    @property
    def table(self) -> pd.DataFrame:
        """The samples of all lists: the list, the id, truth, prediction and loss."""
        rows = [
            {"list": title, **self.samples[position]}
            for title, positions in self.lists.items()
            for position in positions
        ]
        columns = [
            "list",
            "id",
            "index",
            "true",
            "predicted",
            *(["confidence"] if self.errors is not None else []),
            "loss",
        ]
        return pd.DataFrame(rows)[columns]

    def report(self) -> RenderableType:
        """What is shown of it."""
        return report.outcome(self)


def explain(run: Any, *, split: Split = "val", seed: int = 0, by: str = stored_runs.BEST_BY) -> Explanation:
    """Explain a run, as `lab explain` does, and keep what is found as files of the run, in place of earlier ones.

    `run` is a result of `lab.run`, or a run as on the command line: an id or the start of one, a name, latest:lstm or
    best:lstm, the best `by` a metric. Raises LabError.
    """
    name = getattr(run, "run_id", run)
    if not isinstance(name, str):
        raise LabError(f"explain: {run!r} is no run; {stored_runs.HOW}")
    with calls.training("the files of the run are as they were"):
        return Explanation(**vars(explaining.explain(name, split, seed, by)))
