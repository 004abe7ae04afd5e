"""Studies: how a search went, and whether its winners held on fresh seeds."""

import streamlit as st

from dashboard import frame, reads, run_list, selection, studies, words
from dashboard.charts import Picture
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

SECOND_HALF = ("slices", "contour", "parallel")
FEW = 6


def page() -> None:
    """Show the study that the address names, else the latest."""
    st.title("Studies")
    names = reads.study_names()
    if not names:
        st.info("No studies yet. `make study NAME=mlp TRIALS=20` makes one.")
        return
    if (asked := st.query_params.get("study")) and asked not in names:
        st.warning(f"There is no study {words.in_markdown(asked)} (any more).")
    name = st.selectbox("Study", names, key="study", bind="query-params")
    study = reads.study(name)
    _facts(name, study)
    view = st.segmented_control(
        "View", studies.VIEWS, default="history", required=True, key="view", bind="query-params"
    )
    _picture(study, view or "history")
    _winners(name)
    with st.expander("All trials"):
        frame.small_table(studies.trials(study))


def _facts(name: str, study: object) -> None:
    trials = study.get_trials(deepcopy=False)  # type: ignore[attr-defined]
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.state.name.lower()] = counts.get(trial.state.name.lower(), 0) + 1
    values = [trial.value for trial in trials if trial.state.name == "COMPLETE" and trial.value is not None]
    up = study.direction.name == "MAXIMIZE"  # type: ignore[attr-defined]
    shown = {"trials": f"{len(trials)}", **{state: f"{amount}" for state, amount in counts.items()}}
    shown[f"best ({'higher' if up else 'lower'} is better)"] = (
        words.number(max(values) if up else min(values)) if values else "–"
    )
    for column, (title, value) in zip(st.columns(max(4, len(shown))), shown.items(), strict=False):
        column.metric(title, value)
    with frame.told():
        _link(reads.runs(), name)


def _link(table: RunTable, name: str) -> None:
    """A link to the runs of the study's trials."""
    if "lab.study" in table.tags:
        mine = table.tags["lab.study"] == name
        runs = list(table.info.index[mine & run_list.kinds(table).isin(["trial", "fresh seed", "winner"])])
        if runs:
            link = {"runs": selection.written(runs[:100], table)}
            st.page_link("app_pages/compare.py", label=f"compare its {len(runs)} runs", query_params=link)


def _picture(study: object, view: str) -> None:
    params = studies.param_names(study)  # type: ignore[arg-type]
    chosen: list[str] = []
    if view in SECOND_HALF:
        most = 2 if view == "contour" else None
        usual = params[: most or FEW]
        chosen = st.multiselect("Settings", params, usual, max_selections=most, key=f"settings-{view}")
        if view == "contour" and len(chosen) < 2:
            st.info("A contour needs two settings.")
            return
    drawn = studies.figure(study, view, chosen)  # type: ignore[arg-type]
    if drawn is None:
        st.info("Too few trials for this picture yet.")
        return
    drawn.update_layout(title=None, margin={"t": 40})
    frame.show(Picture(drawn, (), studies.trials(study)), f"study-{view}", f"{view} of the study")  # type: ignore[arg-type]


def _winners(name: str) -> None:
    st.subheader("The winners on fresh seeds")
    try:
        table = reads.runs()
    except LabError as error:
        st.warning(words.in_markdown(str(error), 300))
        return
    metric = reads.study_metric(table, name)
    found = studies.fresh_seeds(table, name, metric)
    if len(found):
        up = selection.higher_is_better(metric)
        frame.small_table(found.sort_values("mean", ascending=not up))
        st.caption(
            f"{words.in_markdown(metric)} of the best trials and of the defaults, on seeds that the search did not see"
        )
    else:
        st.caption("No candidate has been trained on fresh seeds yet.")


page()
