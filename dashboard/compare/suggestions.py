"""What the page Compare offers before runs are chosen: the latest of each experiment, and the settings that vary."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import links, selection, text
from lab.tracking.reading import run_frame
from lab.tracking.reading.run_table import PARTS, RunTable
from lab.tracking.store import RECORDING_PARAMS

WHOLES = ("study", "comparison", "cross-validation")  # runs that stand for others
ENDED = ("FINISHED", "FAILED")  # of which a verdict can be had
VERDICT_ICON = ":material/balance:"
MAX_EXPERIMENTS = 10
LATEST = 10  # runs of an experiment that one link compares
MAX_SEARCHED = 500  # latest runs of an experiment in which varied settings are sought
MAX_VARIED = 4  # settings of an experiment that are offered
MAX_VALUES = 5  # values of a setting that are named


@dataclass(frozen=True)
class Varied:
    """A setting, and the runs that differ in it, else in the seed alone; its values from the lowest."""

    setting: str
    values: tuple[str, ...]
    ids: tuple[str, ...]
    repeated: bool  # whether two of the values were trained with several seeds, so that a verdict can be had

    def label(self) -> str:
        """The setting, its first values, and the number of runs."""
        more = ", …" if len(self.values) > MAX_VALUES else ""
        return f"{self.setting}: {', '.join(self.values[:MAX_VALUES])}{more} ({text.count(len(self.ids), 'run')})"


def show(table: RunTable) -> None:
    """For each experiment a link to its latest runs, and one to the verdict on each setting that was varied."""
    for experiment, runs in _by_experiment(table):
        if len(runs) < 2:
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{text.escape_markdown(experiment)}**", width="content")
            label = f"the latest {min(LATEST, len(runs))} runs of {experiment}"
            links.link_to_compare(table, runs[:LATEST], text.escape_markdown(label), links.COMPARE_ICON)
            for varied in varied_settings(table, runs):
                label = text.escape_markdown(varied.label())
                view = {"view": "verdict" if varied.repeated else "curves", "group": varied.setting}
                links.link_to_compare(table, varied.ids, label, VERDICT_ICON, **view)


def _by_experiment(table: RunTable) -> Iterator[tuple[str, list[str]]]:
    """The runs of each experiment that are not part of a study or comparison, the latest first."""
    single = table.info[~run_frame.kinds(table).isin((*PARTS, *WHOLES))]
    for experiment in single["experiment"].unique()[:MAX_EXPERIMENTS]:
        yield str(experiment), list(single.index[single["experiment"] == experiment])


def varied_settings(table: RunTable, runs: Sequence[str]) -> list[Varied]:
    """The settings that were varied while all others but the seed were kept, that of most runs first."""
    ended = [run for run in runs[:MAX_SEARCHED] if table.info.at[run, "status"] in ENDED]
    params = table.params.loc[ended]
    names = [name for name in selection.trained_otherwise(params) if name != selection.SEED]
    codes = params[names].apply(lambda column: pd.factorize(column)[0])
    found = [varied for name in names if (varied := _varied(params, codes, name))]
    return sorted(found, key=lambda varied: -len(varied.ids))[:MAX_VARIED]


def _latest_of_equals(params: pd.DataFrame) -> pd.Index:
    """The runs without those that a later one repeats, seed and all: a verdict pairs one run of a seed."""
    return params.drop(columns=list(RECORDING_PARAMS), errors="ignore").drop_duplicates().index


def _varied(params: pd.DataFrame, codes: pd.DataFrame, name: str) -> Varied | None:
    """The most runs that differ in a setting and have all others alike; None where there are none."""
    others = list(codes.columns.drop(name))
    alike = codes.groupby(others, sort=False) if others else [((), codes)]
    several = [
        part.index for _, part in alike if part[name].nunique() > 1 and params.loc[part.index, name].notna().all()
    ]
    if not several:
        return None
    once = [_latest_of_equals(params.loc[part]) for part in several]
    runs = max(once, key=len)
    values = sorted(params.loc[runs, name].astype(str).unique(), key=text.numbers_first)
    repeated = int((params.loc[runs, name].value_counts() > 1).sum()) > 1
    return Varied(name, tuple(values), tuple(map(str, runs)), repeated)
