"""Home: what is running, what came out lately, what to do first."""

import pandas as pd
import streamlit as st

from dashboard import charts, frame, reads, selection, words
from lab.errors import LabError
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable

FIRST_STEPS = """
make experiment NAME=lstm                    # train, track and test one experiment
make experiment NAME=gru                     # another, to compare it with
make study NAME=mlp TRIALS=20                # tune an experiment, prove the winner
"""
LATEST = 12
MOST_RUNNING = 6


def page() -> None:
    """Show what is running, what came out, what to do first."""
    st.title("The lab")
    try:
        table = reads.runs()
    except LabError as error:
        _first_steps(str(error))
        return
    if not table.ids:
        _first_steps("The store is empty.")
        return
    frame.follow(table)
    word = run_table.states(table)
    _counts(table, word)
    _running(table, word)
    _latest(table)


def _first_steps(reason: str) -> None:
    st.info(words.in_markdown(reason, 500))
    st.subheader("Begin with one of these")
    st.code(FIRST_STEPS.strip(), language="bash")
    st.caption("Each line can be copied as it is. This page looks again when you reload it.")


def _counts(table: RunTable, word: pd.Series) -> None:
    amounts = word.value_counts()
    shown = {"runs": len(word), **{str(name): int(amount) for name, amount in amounts.items()}}
    for column, (name, amount) in zip(st.columns(max(4, len(shown))), shown.items(), strict=False):
        column.metric(name, f"{amount:,}")


def _running(table: RunTable, word: pd.Series) -> None:
    running = [run for run in table.ids if word[run] == run_table.MARKS["RUNNING"]]
    st.subheader("Running now")
    if not running:
        st.caption("Nothing is running. `make experiment NAME=lstm` starts something.")
    for run in running[:MOST_RUNNING]:
        with st.container(border=True):
            _progress(table, run)
    if len(running) > MOST_RUNNING:
        st.caption(f"and {words.count(len(running) - MOST_RUNNING, 'more run')}, on the page Runs")


def _progress(table: RunTable, run: str) -> None:
    frame.run_link(table, run)
    metrics = table.metrics.loc[run].dropna()
    losses = [name for name in ("train/loss", "val/loss") if name in metrics]
    shown = losses or [name for name in metrics.index if not str(name).startswith("system/")][:1]
    if not shown:
        st.caption("no metric yet")
        return
    lines = []
    for style, metric in enumerate(shown):
        found = reads.curves_of(table, [run], str(metric), "step")
        lines += [charts.Line(str(metric), data, style) for data in found.values()]
    done = max((line.data["x"].max() for line in lines), default=0)
    budget = table.params["trainer.max_epochs"].get(run) if "trainer.max_epochs" in table.params else None
    if str(budget).isdigit():
        st.progress(min(1.0, done / max(1, int(str(budget)))), f"epoch {done:.0f} of {budget}")
    frame.show(charts.curve_chart(lines, "loss" if losses else str(shown[0]), "step"), f"live-{run}", "live curves")


def _latest(table: RunTable) -> None:
    st.subheader("Latest results")
    ended = [run for run in table.ids if table.info.at[run, "status"] != "RUNNING"]
    kinds = table.tags["lab.kind"] if "lab.kind" in table.tags else pd.Series(index=table.info.index, dtype=object)
    shown = [run for run in ended if kinds[run] not in ("trial", "fresh seed")][:LATEST]
    rows = [_result(table, run) for run in shown]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        placeholder="",
        column_config={"open": st.column_config.LinkColumn("", display_text="open", width="small")},
    )
    st.page_link("app_pages/runs.py", label=f"All {len(table.ids):,} runs", icon=":material/table_rows:")


def _result(table: RunTable, run: str) -> dict[str, object]:
    """The main test metric of a run beside the baseline's; where it was not tested, its first best value."""
    metrics = table.metrics.loc[run].dropna()
    names = [str(name) for name in metrics.index]
    prefixes = ("test/", "best/val/", "at_best/val/", "val/")
    others = (name for prefix in prefixes for name in sorted(names) if name.startswith(prefix))
    order = ("test/accuracy", "test/rmse", *others)
    main = next((name for name in order if name in names), next(iter(names), ""))
    return {
        "run": table.info.at[run, "name"],
        "state": run_table.states(table.only([run]))[run],
        "metric": main,
        "value": metrics.get(main),
        "baseline": metrics.get(f"baseline/{main}"),
        "when": words.age(table.info.at[run, "ended"]),
        "open": f"/run?run={selection.written([run], table)}",
    }


page()
