"""Studies: the course of a search, and its winners on fresh seeds."""

from contextlib import suppress
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import components, links, store_reads, text
from dashboard.editing import runs as run_edits
from dashboard.figures.chart import Chart
from dashboard.figures.curves import MAX_IN_LEGEND
from dashboard.studies import charts as study_charts
from dashboard.studies import reads as study_reads
from dashboard.studies import stored as studies
from lab.errors import LabError
from lab.studies.importance import importance_figure
from lab.tracking.reading import run_frame
from lab.tracking.reading.run_table import RunTable

if TYPE_CHECKING:
    from optuna import Study

VIEWS_OF_SETTINGS = ("slices", "contour", "parallel")
DEFAULT_SETTINGS = 6
MAX_LINKED_RUNS = 100
MAX_CLICKED = 5
MAX_COLOURS = 6  # settings by which the curves of the trials can be coloured with one click


def page() -> None:
    """Show the study that the URL names, else the latest."""
    st.title("Studies")
    names = study_reads.study_names()
    if not names:
        st.info("No studies yet. To make one: `make study NAME=mlp TRIALS=20`")
        return
    if (requested := st.query_params.get("study")) and requested not in names:
        st.warning(f"There is no study {text.escape_markdown(requested)}; it may have been deleted.")
    name = st.selectbox("Study", names, key="study", bind="query-params")
    study = study_reads.study(name)
    _show_counts(name, study)
    _show_best(name, study)
    _show_figure(name, study, components.choose_view(studies.VIEWS))
    _show_winners(name, study)
    with components.showing_errors():
        _show_note(name)
    with st.expander("All trials"):
        components.show_table(studies.trials(study).assign(open=lambda rows: rows["number"].map(_links(name))))


def _show_counts(name: str, study: "Study") -> None:
    """The numbers of trials by state, the best value, and a link to the runs."""
    trials = study.get_trials(deepcopy=False)
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.state.name.lower()] = counts.get(trial.state.name.lower(), 0) + 1
    values = [trial.value for trial in trials if trial.state.name == "COMPLETE" and trial.value is not None]
    maximize = study.direction.name == "MAXIMIZE"
    best = text.number(max(values) if maximize else min(values)) if values else "–"
    by_state = [f"{count} {state}" for state, count in counts.items()]
    better = "higher" if maximize else "lower"
    with suppress(LabError):
        best = f"{text.escape_markdown(studies.metric_of_study(store_reads.runs(), name))} {best}".lstrip()
    st.markdown(" · ".join([f"**best {best}** ({better} is better)", text.count(len(trials), "trial"), *by_state]))
    with components.showing_errors():
        _show_links(store_reads.runs(), study)


def _show_best(name: str, study: "Study") -> None:
    """The best trials with their settings and links to their runs."""
    best = study_charts.best_trials(studies.trials(study), study.direction.name == "MAXIMIZE", _links(name))
    if len(best):
        components.show_table(best, "best-trials")


def _links(name: str) -> dict[int, str]:
    """The address of the run of each trial; none where the store of runs does not answer."""
    with suppress(LabError):
        return studies.runs_of_trials(store_reads.runs(), name)
    return {}


def _show_note(name: str) -> None:
    """The note of the study, kept by the run that stands for it, and a menu that changes it."""
    table = store_reads.runs()
    if run := studies.run_of_study(table, name):
        run_edits.show_note(table, run)
        run_edits.show_note_control(table, run)


def _show_links(table: RunTable, study: "Study") -> None:
    """Links to the runs of the study, and to the curves of its trials coloured by each setting."""
    if "lab.study" not in table.tags:
        return
    of_study, kinds = table.tags["lab.study"] == study.study_name, run_frame.kinds(table)
    runs = list(table.info.index[of_study & kinds.isin(["trial", "fresh seed", "tested seed", "winner"])])
    trials = list(table.info.index[of_study & (kinds == "trial")])[:MAX_LINKED_RUNS]
    if not runs:
        return
    with st.container(horizontal=True):
        links.link_to_compare(table, runs[:MAX_LINKED_RUNS], f"compare its {len(runs)} runs")
        if len(trials) > MAX_IN_LEGEND:  # fewer have a legend, and no scale of colours
            st.markdown("trials coloured by", width="content")
            for setting in study_charts.numeric_settings(studies.trials(study))[:MAX_COLOURS]:
                links.link_to_compare(table, trials, text.escape_markdown(setting), colour=setting)


def _show_figure(name: str, study: "Study", view: str) -> None:
    params = studies.searched_settings(study)
    chosen: list[str] = []
    place = st.container()
    if view in VIEWS_OF_SETTINGS:
        limit = 2 if view == "contour" else None
        default = params[: limit or DEFAULT_SETTINGS]
        chosen = st.multiselect(
            "Settings", params, default, max_selections=limit, key=f"settings-{view}", bind="query-params"
        )
        if view == "contour" and len(chosen) < 2:
            st.info("A contour plot needs two settings.")
            return
    if view == "importance":
        _show_importance(study)
        return
    if view == "history":
        _show_history(name, study)
        return
    figure = studies.figure(study, view, chosen)
    if figure is None:
        st.info("There are too few trials for this plot yet.")
        return
    figure.update_layout(title=None, margin={"t": 40})
    with place:
        components.show_chart(Chart(figure, (), studies.trials(study)), f"study-{view}", f"{view} of the study")


def _show_history(name: str, study: "Study") -> None:
    """The trials by state, and a link to the run of a trial that is clicked."""
    maximize, winners = study.direction.name == "MAXIMIZE", pd.DataFrame()
    with suppress(LabError):
        winners = _winners(name, study)[0]
    chart = study_charts.history_chart(studies.trials(study), maximize, winners)
    clicked = components.show_chart(chart, "study-history", "values of the trials, and the best so far", True)
    links = _links(name)
    for number in [int(point["x"]) for point in clicked if int(point["x"]) in links][:MAX_CLICKED]:
        st.markdown(f"[open trial {number}]({links[number]})")


def _show_importance(study: "Study") -> None:
    found = study_reads.study_importance(study)
    if not found.shares:
        st.info(text.escape_markdown(found.sentence(), 400))
        return
    rows = pd.DataFrame([{"setting": name, **vars(share)} for name, share in found.shares.items()])
    components.show_chart(Chart(importance_figure(found), (), rows), "study-importance", "importance of the settings")


def _show_winners(name: str, study: "Study") -> None:
    """The candidates and the defaults on fresh seeds, best first."""
    st.subheader("The winners on fresh seeds")
    try:
        candidates, metric = _winners(name, study)
    except LabError as error:
        st.warning(text.escape_markdown(str(error), 300))
        return
    if len(candidates):
        components.show_table(candidates, "winners")
        metric = text.escape_markdown(metric)
        st.caption(f"{metric} of the best trials and of the defaults, on seeds that the search did not use")
    else:
        st.caption("No candidate has been trained on fresh seeds yet.")


def _winners(name: str, study: "Study") -> tuple[pd.DataFrame, str]:
    """The candidates on fresh seeds with their intervals, the best first, and the metric."""
    table = store_reads.runs()
    metric = study_reads.study_metric(table, name)
    candidates = studies.fresh_seeds(table, name, metric)
    if not len(candidates):
        return candidates, metric
    rising = study.direction.name == "MINIMIZE"
    return study_charts.with_interval(candidates.sort_values("mean", ascending=rising)), metric


page()
