"""Studies: the course of a search, and its winners on fresh seeds."""

from contextlib import suppress
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import components, selection, store_reads, text
from dashboard.figures.chart import Chart
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
    view = st.segmented_control(
        "View", studies.VIEWS, default="history", required=True, key="view", bind="query-params"
    )
    _show_figure(study, view or "history")
    _show_winners(name)
    with st.expander("All trials"):
        components.show_table(studies.trials(study))


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
    st.markdown(" · ".join([f"**best {best}** ({better} is better)", text.count(len(trials), "trial"), *by_state]))
    with components.showing_errors():
        _show_link(store_reads.runs(), name)


def _show_best(name: str, study: "Study") -> None:
    """The best trials with their settings and links to their runs."""
    links: dict[int, str] = {}
    with suppress(LabError):
        links = studies.runs_of_trials(store_reads.runs(), name)
    best = study_charts.best_trials(studies.trials(study), study.direction.name == "MAXIMIZE", links)
    if len(best):
        config: dict = {name: st.column_config.NumberColumn(format="%.4g") for name in best.select_dtypes("float")}
        config["open"] = st.column_config.LinkColumn("", display_text="open", width="small") if links else None
        st.dataframe(best, hide_index=True, placeholder="", column_config=config)


def _show_link(table: RunTable, name: str) -> None:
    """A link to the runs of the study."""
    if "lab.study" in table.tags:
        of_study = table.tags["lab.study"] == name
        kinds = run_frame.kinds(table).isin(["trial", "fresh seed", "tested seed", "winner"])
        runs = list(table.info.index[of_study & kinds])
        if runs:
            components.link_to_compare(table, runs[:MAX_LINKED_RUNS], f"compare its {len(runs)} runs")


def _show_figure(study: "Study", view: str) -> None:
    params = studies.searched_settings(study)
    chosen: list[str] = []
    if view in VIEWS_OF_SETTINGS:
        limit = 2 if view == "contour" else None
        default = params[: limit or DEFAULT_SETTINGS]
        chosen = st.multiselect("Settings", params, default, max_selections=limit, key=f"settings-{view}")
        if view == "contour" and len(chosen) < 2:
            st.info("A contour plot needs two settings.")
            return
    if view == "importance":
        _show_importance(study)
        return
    if view == "history":
        chart = study_charts.history_chart(studies.trials(study), study.direction.name == "MAXIMIZE")
        components.show_chart(chart, "study-history", "values of the trials, and the best so far")
        return
    figure = studies.figure(study, view, chosen)
    if figure is None:
        st.info("There are too few trials for this plot yet.")
        return
    figure.update_layout(title=None, margin={"t": 40})
    components.show_chart(Chart(figure, (), studies.trials(study)), f"study-{view}", f"{view} of the study")


def _show_importance(study: "Study") -> None:
    found = study_reads.study_importance(study)
    if not found.shares:
        st.info(text.escape_markdown(found.sentence(), 400))
        return
    rows = pd.DataFrame([{"setting": name, **vars(share)} for name, share in found.shares.items()])
    components.show_chart(Chart(importance_figure(found), (), rows), "study-importance", "importance of the settings")


def _show_winners(name: str) -> None:
    """The candidates and the defaults on fresh seeds, best first."""
    st.subheader("The winners on fresh seeds")
    try:
        table = store_reads.runs()
    except LabError as error:
        st.warning(text.escape_markdown(str(error), 300))
        return
    metric = study_reads.study_metric(table, name)
    candidates = studies.fresh_seeds(table, name, metric)
    if len(candidates):
        higher = selection.higher_is_better(table, metric)
        components.show_table(study_charts.with_interval(candidates.sort_values("mean", ascending=not higher)))
        metric = text.escape_markdown(metric)
        st.caption(f"{metric} of the best trials and of the defaults, on seeds that the search did not use")
    else:
        st.caption("No candidate has been trained on fresh seeds yet.")


page()
