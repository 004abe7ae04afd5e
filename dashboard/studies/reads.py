"""Cached reads of studies: from Optuna's storage, and the metric from the store of runs."""

import json
from contextlib import suppress
from typing import Any

import streamlit as st

from dashboard import store_reads
from dashboard.studies import stored as studies
from lab.errors import LabError
from lab.studies import storage
from lab.studies.importance import Importance, importance_of
from lab.tracking.reading.run_table import RunTable


@st.cache_data(ttl=5, max_entries=4, show_spinner=False)
def _study_names(address: str) -> list[str]:
    return studies.names()


def study_names() -> list[str]:
    """The names of all studies; raises LabError if their storage cannot be read."""
    return _study_names(storage.address())


@st.cache_resource(ttl=5, max_entries=8, show_spinner=False)
def _study(address: str, name: str) -> Any:
    return studies.load(name)


def study(name: str) -> Any:
    """An Optuna study; raises LabError."""
    return _study(storage.address(), name)


@st.cache_data(max_entries=16, show_spinner="estimating the importance of the settings")
def _importance(name: str, finished: int, _study: Any) -> Importance:
    return importance_of(_study)


def study_importance(study: Any) -> Importance:
    """How much each setting of a study matters; estimated again when a trial has finished."""
    finished = sum(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False))
    return _importance(study.study_name, finished, study)


def study_metric(table: RunTable, name: str) -> str:
    """The metric that a study optimized: from its candidates.json, else validation accuracy or loss."""
    tags = table.tags
    if {"lab.kind", "lab.study"} <= set(tags):
        for run in tags.index[(tags["lab.kind"] == "study") & (tags["lab.study"] == name)]:
            with suppress(LabError, ValueError, KeyError, TypeError):
                return str(json.loads(store_reads.artifact_text(run, "candidates.json"))["metric"])
    return "val/accuracy" if "val/accuracy" in table.metrics else "val/loss"
