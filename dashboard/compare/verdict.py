"""The view `verdict` of the page Compare: does the difference between these runs hold?"""

import shlex
from collections.abc import Sequence

import streamlit as st
import yaml

from dashboard import selection, text
from dashboard.compare import comparison
from lab.comparisons import existing
from lab.comparisons.existing import How, Reduction
from lab.comparisons.findings import Findings, sentences
from lab.config import yaml_files
from lab.errors import LabError
from lab.tracking.reading.metric_names import split_of
from lab.tracking.reading.run_table import RunTable

EXPERIMENT = "lab.experiment"
SEEDS = "5..30"
NAME = "mine"
CONTROL = "control"  # a key of the session state and of the address


def show(table: RunTable, metric: str) -> None:
    """The verdict on each group of runs against one of them, the oldest by default, and the commands to go on with."""
    unpaired = st.toggle("unpaired", key="unpaired", bind="query-params", help="Welch's test, for runs without seeds")
    how = _how(table, metric, unpaired)
    ids = _control_first(table, _with_metric(table, metric))
    if missing := len(table.ids) - len(ids):
        st.caption(f"{text.count(missing, 'run')} without {text.escape_markdown(metric)} left out")
    try:
        for sentence in sentences(_compared(ids, how)):
            st.markdown(f"- {text.escape_markdown(sentence, 500)}")
    except LabError as error:
        st.info(text.escape_markdown(str(error).replace("--unpaired", "the switch “unpaired”"), 500))
    st.caption("The same in the terminal")
    st.code(command(table, ids, how), "bash", wrap_lines=True)
    if content := comparison_file(table, metric):
        st.caption("More seeds until it is decided: save this file as it is called, then run its last line")
        st.code(f"# experiments/comparisons/{NAME}.yaml\n{content}\n# make compare NAME={NAME}", "yaml")
        st.download_button("Download", content, f"{NAME}.yaml", "text/yaml", on_click="ignore")


def _control_first(table: RunTable, ids: list[str]) -> list[str]:
    """The runs with the group first against which the others are compared, which can be chosen among several."""
    groups = {group.label: group.ids for group in comparison.group_runs(table.only(ids), [comparison.ALL_BUT_SEED])}
    if len(groups) < 3:
        return ids
    oldest = next(label for label, members in groups.items() if ids[0] in members)
    control = st.pills("against", list(groups), default=oldest, required=True, key=CONTROL, bind="query-params")
    return sorted(ids, key=lambda run: run not in groups[control or oldest])


def said(table: RunTable, metric: str, unpaired: bool) -> list[str]:
    """The sentences of the verdict, for the report; none where the runs cannot be compared."""
    try:
        return list(sentences(existing.compare(_with_metric(table, metric), _how(table, metric, unpaired))))
    except LabError:
        return []


def _with_metric(table: RunTable, metric: str) -> list[str]:
    """The runs that recorded the metric, the oldest first, so that the oldest group is the control."""
    return [run for run in reversed(table.ids) if metric in table.recorded(run)]


def _how(table: RunTable, metric: str, unpaired: bool) -> How:
    return How(metric, 0.0, unpaired, _reduction(table, metric))


def _reduction(table: RunTable, metric: str) -> Reduction | None:
    """Runs of the lab say which epoch is their best; of others it is the best value."""
    return None if f"at_best/{metric}" in table.metrics or split_of(metric)[0] == "test" else "best"


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def _compared(ids: Sequence[str], how: How) -> Findings:
    return existing.compare(ids, how)


def command(table: RunTable, ids: Sequence[str], how: How) -> str:
    """The command that gives the same verdict."""
    options = ["--metric", how.metric, *(["--unpaired"] if how.unpaired else [])]
    options += ["--reduce", how.reduce] if how.reduce else []
    return shlex.join([".venv/bin/lab", "compare", *selection.format_ids(ids, table).split(","), *options])


def comparison_file(table: RunTable, metric: str) -> str:
    """A comparison with an arm for each group of runs; "" where they are not of one experiment of the lab."""
    experiments = table.tags[EXPERIMENT].dropna().unique() if EXPERIMENT in table.tags else []
    names = [name for name in selection.trained_otherwise(table.params) if name not in ("seed", "fold", "search")]
    if len(experiments) != 1 or not names or split_of(metric)[0] != "val":
        return ""
    groups = comparison.group_runs(table, [comparison.ALL_BUT_SEED])
    arms = {group.label: _settings(table, group.ids[0], names) for group in reversed(groups)}
    content = {"base": str(experiments[0]), "arms": arms, "metric": metric.removeprefix("val/"), "seeds": SEEDS}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _settings(table: RunTable, run: str, names: Sequence[str]) -> dict[str, object]:
    values = table.params.loc[run, list(names)].dropna()
    return {str(name): yaml_files.parse(str(value), str(name)) for name, value in values.items()}
