"""The page Run shows what `lab explain` has found."""

from pathlib import Path

import pytest
import streamlit as st
from pages import opened_page, texts

from dashboard.run_page import explanation
from lab.explanations.explain import explain
from lab.tracking import store
from lab.tracking.reading import stored_runs


@pytest.fixture(autouse=True)
def no_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


def test_rows_are_a_table_below_the_importance(folder: Path) -> None:
    found = explain("shop")
    app = opened_page("run", run=found.run_id[:8], view="explanation")
    assert "val/r2" in texts(app)
    assert len(app.get("plotly_chart")) == 1
    rows = app.dataframe[-1].value
    assert rows["id"].tolist() == [found.samples[number]["id"] for number in found.lists["largest errors"]]
    assert {"true", "predicted", "loss", "city (input)"} <= set(rows)


def test_images_are_a_gallery_with_their_maps(folder: Path) -> None:
    found = explain("digits")
    app = opened_page("run", run=found.run_id[:8], view="explanation")
    assert f"**{found.errors} errors**" in texts(app)
    thumbnails, maps = app.get("image")
    assert len(thumbnails.value) == len(found.lists["most confident errors"])
    assert len(maps.value) == 4
    assert "predicted" in thumbnails.captions[0]


def test_a_forecast_is_written_out(folder: Path) -> None:
    samples = explain("sales").samples
    assert explanation.samples_table(samples)["true"][0].count(", ") == 2


def test_without_an_explanation_the_command_is_shown(folder: Path) -> None:
    run = stored_runs.find("cancer").id
    app = opened_page("run", run=run[:8], view="explanation")
    assert "not explained yet" in texts(app)
    assert app.code[0].value == f".venv/bin/lab explain {run[:8]}"


@pytest.mark.parametrize("content", ["{", "[]", '{"notes": []}', "3"])
def test_a_damaged_file_is_a_sentence(folder: Path, content: str) -> None:
    run = stored_runs.find("waves").id
    store.client().log_text(run, content, "explain/explanation.json")
    assert "cannot be read" in texts(opened_page("run", run=run[:8], view="explanation"))
