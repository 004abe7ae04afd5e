"""The figures of a study, drawn by optuna.visualization, on one HTML page that opens offline."""

import html
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from lab.studies.importance import Importance, importance_figure
from lab.studies.objective import Objective

if TYPE_CHECKING:
    from optuna import Study


def as_html(study: "Study", objective: Objective, importance: Importance) -> str:
    """A self-contained page with every figure for which the study has enough trials."""
    title = html.escape(f"{study.study_name}: {objective.metric}")
    parts = [f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1>"]
    for number, figure in enumerate(_figures(study, objective.metric, importance)):
        parts.append(figure.to_html(full_html=False, include_plotlyjs=number == 0))
    return "\n".join(parts)


def _figures(study: "Study", metric: str, importance: Importance) -> Iterator[Any]:
    from optuna import visualization

    plots: list[Callable[..., Any]] = [
        visualization.plot_optimization_history,
        visualization.plot_slice,
        visualization.plot_parallel_coordinate,
        visualization.plot_timeline,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about settings that only some trials have
        if importance.shares:
            yield importance_figure(importance)
        for plot in plots:
            yield plot(study, **({} if plot is visualization.plot_timeline else {"target_name": metric}))
        yield visualization.plot_intermediate_values(study)
