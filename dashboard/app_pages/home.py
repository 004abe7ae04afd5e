"""Home: what is running, the latest answers, and what needs attention; first steps for an empty store."""

import pandas as pd
import streamlit as st

from dashboard import answers, components, links, store_reads, text, verdicts
from dashboard.editing import runs as run_edits
from dashboard.editing import saved_views as view_links
from dashboard.figures.chart import Chart
from dashboard.figures.curves import Line, curve_chart
from lab.comparisons import figures
from lab.errors import LabError
from lab.tracking.reading import run_frame, run_table
from lab.tracking.reading.metric_names import TRAIN, VALIDATION, chart_of, is_curve, split_of
from lab.tracking.reading.run_table import PARTS, RunTable

FIRST_STEPS = """
make experiment NAME=lstm                    # train, track and test one experiment
make experiment NAME=gru                     # another, to compare it with
make study NAME=mlp TRIALS=20                # tune an experiment, confirm the winner on fresh seeds
"""
MAX_RESULTS = 12
LATEST = 10  # of these results, which one link compares
MAX_RUNNING = 6
MAX_COMPARISONS = 10  # of which the latest one that has ended is shown
VERDICT_HEIGHT = 280
LIVE_HEIGHT = 200


def page() -> None:
    """Show what is running, the latest verdict, the best of each experiment, and what needs attention."""
    st.title("The lab")
    try:
        table = store_reads.runs()
    except LabError as error:
        _show_first_steps(str(error))
        return
    if not table.ids:
        _show_first_steps("The store is empty.")
        return
    components.rerun_on_change(table)
    states = run_table.states(table)
    _show_counts(states)
    _show_running(table, states)
    _show_verdict(table)
    _show_best(table)
    _show_attention(table)
    _show_studies(table)
    _show_pinned(table, states)
    view_links.show_list()
    _show_latest(table, states)


def _show_first_steps(reason: str) -> None:
    st.info(text.escape_markdown(reason, 500))
    st.subheader("Start with one of these commands")
    st.code(FIRST_STEPS.strip(), language="bash")
    st.caption("Then reload this page.")


def _show_counts(states: pd.Series) -> None:
    counts = {str(state): int(count) for state, count in states.value_counts().items()}
    runs = text.count(len(states), "run")
    st.caption(" · ".join([runs, *(f"{count:,} {text.escape_markdown(state)}" for state, count in counts.items())]))


def _show_running(table: RunTable, states: pd.Series) -> None:
    running = [run for run in table.ids if states[run] == run_table.MARKS["RUNNING"]]
    if not running:
        return
    st.subheader("Running now")
    for run in running[:MAX_RUNNING]:
        with st.container(border=True):
            _show_progress(table, run)
    if len(running) > MAX_RUNNING:
        st.caption(f"and {text.count(len(running) - MAX_RUNNING, 'more run')}, on the page Runs")


def _show_verdict(table: RunTable) -> None:
    """The latest comparison: its question, its answer, and the picture of its first arm."""
    loaded = ((run, store_reads.comparison(run)) for run in verdicts.comparison_runs(table)[:MAX_COMPARISONS])
    run, content = next(((run, content) for run, content in loaded if content), ("", None))
    if content is None:
        return
    st.subheader("The latest verdict")
    answer, picture = st.columns([2, 3])
    with answer:
        st.markdown(f"**{text.escape_markdown(content['question'] or content['name'], 300)}**")
        for sentence in content["sentences"][: len(content["verdicts"])]:
            st.markdown(f"- {text.escape_markdown(sentence, 400)}")
        query = {"comparison": f"{content['name']} ({run[:8]})"}
        st.page_link("app_pages/verdicts.py", label="The whole verdict", icon=":material/balance:", query_params=query)
    arm, rows = next(((arm, rows) for arm, rows in content["narrowing"].items() if rows), ("", []))
    if rows:
        figure = figures.figure(arm, rows, content["control"], content["measure"], content["margin"])
        figure.update_layout(height=VERDICT_HEIGHT, margin={"l": 10, "r": 10, "t": 30, "b": 10})
        with picture:
            description = f"{arm} minus {content['control']}, seed by seed"
            components.show_chart(Chart(figure, (), pd.DataFrame(rows)), "verdict", description)


def _show_best(table: RunTable) -> None:
    best = answers.best_results(table)
    if len(best):
        st.subheader("The best of each experiment")
        components.show_table(best)
        st.caption("chosen on validation data; the values are those of the test, from one seed each")


def _show_attention(table: RunTable) -> None:
    problems = answers.attention(table)
    if len(problems):
        st.subheader("Needs attention")
        components.show_table(problems)


def _show_studies(table: RunTable) -> None:
    studies = answers.studies(table)
    if len(studies):
        st.subheader("Studies")
        components.show_table(studies)


def _show_pinned(table: RunTable, states: pd.Series) -> None:
    if pinned := run_edits.pinned_runs(table):
        st.subheader("Pinned")
        components.show_table(pd.DataFrame([answers.result(table, run, states[run]) for run in pinned[:MAX_RESULTS]]))


def _show_progress(table: RunTable, run: str) -> None:
    """The progress bar and the loss curves of a running run."""
    links.link_to_run(table, run)
    metrics = table.recorded(run)
    losses = [name for name in metrics if is_curve(name) and _is_loss(name)]
    shown = losses or [name for name in metrics if not name.startswith("system/")][:1]
    if not shown:
        st.caption("no metric yet")
        return
    lines = []
    for style, metric in enumerate(shown):
        found = store_reads.metric_curves(table, [run], metric, "step")
        lines += [Line(metric, curve, style) for curve in found.values()]
    epoch = max((line.data["x"].max() for line in lines), default=0)
    budget = table.params["trainer.max_epochs"].get(run) if "trainer.max_epochs" in table.params else None
    if str(budget).isdigit():
        st.progress(min(1.0, epoch / max(1, int(str(budget)))), f"epoch {epoch:.0f} of {budget}")
    chart = curve_chart(lines, "loss" if losses else shown[0], "step")
    chart.figure.update_layout(height=LIVE_HEIGHT)
    components.show_chart(chart, f"live-{run}", "live curves")


def _is_loss(metric: str) -> bool:
    return chart_of(metric) == "loss" and split_of(metric)[0] in (TRAIN, VALIDATION)


def _show_latest(table: RunTable, states: pd.Series) -> None:
    """The results of the latest runs that have ended, without parts of others, and comparisons, which have answers."""
    st.subheader("Latest results")
    elsewhere = run_frame.kinds(table).isin((*PARTS, "comparison"))
    shown = table.info.index[(table.info["status"] != "RUNNING") & ~elsewhere][:MAX_RESULTS]
    rows = pd.DataFrame([answers.result(table, run, states[run]) for run in shown])
    chosen = components.select_rows(rows, f"latest-{len(table.ids)}")
    if chosen:
        ids = [str(shown[row]) for row in chosen]
        with st.container(horizontal=True):
            links.link_to_views(table, ids, f"Compare {text.count(len(ids), 'run')}")
    with st.container(horizontal=True):
        if len(shown) > 1:
            latest = list(shown[:LATEST])
            links.link_to_compare(
                table, latest, f"Compare the latest {len(latest)}", links.COMPARE_ICON, view="results"
            )
        st.page_link("app_pages/runs.py", label=f"All {len(table.ids):,} runs", icon=":material/table_rows:")


page()
