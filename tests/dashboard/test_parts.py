"""The dashboard's arithmetic and figures, without a page."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import Filled, make_run
from pages import opened_page

from dashboard import run_list, selection, text
from dashboard.compare import comparison, fairness
from dashboard.compare import views as compare_views
from dashboard.live_table import LiveTable
from dashboard.outcome import class_charts
from dashboard.run_page import summary, views
from lab.tracking import store
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import open_tables


def test_the_dashboard_imports_no_training_code_and_mlflow_only_when_asked() -> None:
    code = (
        "import sys\n"
        "from dashboard import store_reads\n"
        "from dashboard.compare import views\n"
        "from dashboard.editing import runs, saved_views\n"
        "from dashboard.studies import reads, stored\n"
        "from dashboard.run_page import views, files, summary, explanation\n"
        "from dashboard.concepts import dropout, gradient, learning_rate, norms, receptive_field, texts\n"
        "heavy = {'torch', 'lightning', 'mlflow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_metrics_of_lightnings_loggers_are_shown_like_our_own(workplace: Path) -> None:
    metrics = {name: [0.1, 0.3] for name in ("train_loss_step", "train_loss_epoch", "val_loss", "val_acc", "epoch")}
    run = make_run(store.client(), "p", "a", {}, metrics | {"at_best/val_acc": [0.2], "test_acc": [0.6]})
    table = open_tables().runs()
    columns = run_list.default_columns(table)
    assert columns[3:7] == ["test_acc", "at_best/val_acc", "val_acc", "val_loss"]
    assert compare_views.metric_names(table) == ["val_acc", "val_loss", "train_loss_epoch", "train_loss_step"]
    names = [str(name) for name in table.metrics]
    assert views.metrics_by_chart(names) == {
        "loss": ["train_loss_epoch", "val_loss"],
        "acc": ["val_acc"],
        "loss_step": ["train_loss_step"],
    }
    rows = summary.summary_rows(table.metrics.loc[run]).set_index("metric")
    assert list(rows.index) == ["test_acc", "val_acc", "val_loss", "train_loss_epoch"]
    assert rows.loc["val_acc", ["at the best epoch", "last"]].tolist() == [0.2, 0.3]


@pytest.mark.parametrize(("recorded", "axis"), [({"seconds_per_epoch": [1.0, 1.0]}, "epoch"), ({}, "step")])
def test_the_curves_of_a_run_are_over_the_epochs_that_the_lab_counts_as_steps(
    workplace: Path, recorded: dict[str, list[float]], axis: str
) -> None:
    run = make_run(store.client(), "p", "a", {}, {"val/loss": [0.3, 0.1]} | recorded)
    charts = opened_page("run", run=run).get("plotly_chart")
    figure = json.loads(charts[0].proto.spec)
    assert figure["layout"]["xaxis"]["title"]["text"] == axis
    assert len(charts) == 1 + len(recorded)


@pytest.fixture
def table(filled: Filled) -> RunTable:
    return open_tables().runs()


def test_labels_are_the_settings_that_differ(table: RunTable, filled: Filled) -> None:
    labels = selection.run_labels(table.only(filled.seeds))
    assert labels[filled.seeds[0]] == "lr=0.01 seed=1"
    assert len(set(labels.values())) == 6
    same = selection.run_labels(table.only(filled.seeds[:1]))
    assert same[filled.seeds[0]] == "digits optimizer.lr=0.01 seed=1"
    assert all(len(label) < 100 for label in selection.run_labels(table).values())


def test_ids_in_a_url(table: RunTable, filled: Filled) -> None:
    ids = selection.format_ids(filled.seeds[:2], table)
    assert len(ids) == 17
    assert selection.parse_ids(table, ids) == (filled.seeds[:2], [])
    assert selection.parse_ids(table, "0" * 32 + ",x,,") == ([], ["0" * 32, "x"])


def test_groups_and_fairness_warnings(table: RunTable, filled: Filled) -> None:
    some = table.only(filled.seeds)
    found = comparison.group_runs(some, [comparison.ALL_BUT_SEED])
    assert [(group.label, len(group.ids)) for group in found] == [("lr=0.01", 3), ("lr=0.1", 3)]
    assert fairness.fairness_warnings(some, found) == []
    assert len(comparison.group_runs(some, ["seed"])) == 3
    mixed = fairness.fairness_warnings(some, comparison.group_runs(some, ["seed"]))
    assert len(mixed) == 3
    assert "seed 1 more than once" in mixed[0]


def test_a_run_that_stopped_reporting_is_stale(table: RunTable, filled: Filled) -> None:
    assert run_table.states(table)[filled.running] == "● running"
    info = table.info.copy()
    info[["started", "reported"]] -= 3_600_000
    assert list(info.index[run_table.stale(info)]) == [filled.running]


def test_only_what_changed_is_read_again(table: RunTable, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = open_tables()
    asked: list[object] = []
    read = tables.runs
    monkeypatch.setattr(tables, "runs", lambda ids=None, archived=False: asked.append(ids) or read(ids, archived))
    live = LiveTable(tables)
    monkeypatch.setattr("dashboard.live_table.SECONDS_BETWEEN_POLLS", 0.0)
    first = live.current()
    filled.client.log_metric(filled.running, "val/loss", 0.125, step=3)
    filled.client.delete_run(filled.empty)
    second = live.current()
    assert asked == [None, [filled.running]]
    assert second.metrics.at[filled.running, "val/loss"] == 0.125
    assert set(first.ids) - set(second.ids) == {filled.empty}
    filled.client.set_terminated(filled.running)
    assert live.current().info.at[filled.running, "status"] == "FINISHED"
    assert live.current() is live.current()


def test_text_formatting() -> None:
    assert text.number(float("nan")) == "NaN"
    assert text.number(-math.inf) == "−∞"
    assert text.duration(3_700) == "1 h 1 min"
    assert text.duration(90_000) == "1 d 1 h"
    assert text.escape_markdown("a*b_[c](d)") == "a\\*b\\_\\[c\\]\\(d\\)"


def test_the_scores_of_labels_are_bars_and_a_table() -> None:
    scores = pd.DataFrame(
        {"label": ["a<b", "c"], "samples": [3.0, 0], "precision": [1, np.nan], "recall": [0.5, np.nan]}
    )
    chart = class_charts.label_bars(scores.assign(f1=[2 / 3, 0.0]))
    assert [bar.name for bar in chart.figure.data] == ["precision", "recall", "f1"]
    assert list(chart.figure.data[2].y) == [2 / 3, 0.0]
    assert chart.figure.data[0].x[0] == text.escape_html("a<b", 20)
    assert list(chart.table["label"]) == ["a<b", "c"]


def test_a_few_errors_stand_out_of_a_confusion_matrix_and_no_errors_are_empty() -> None:
    drawn = class_charts.confusion_matrix(np.array([[98.0, 2.0], [0.0, 50.0]]), ["a", "b"]).figure.data[0]
    assert drawn.z[0][1] == pytest.approx(math.sqrt(0.02))
    assert np.isnan(drawn.z[1][0])
    assert drawn.customdata[0][1] == pytest.approx(0.02)


def test_long_numbers_in_labels_have_four_digits() -> None:
    params = pd.DataFrame({"optimizer.lr": ["0.012345678901234567", "0.1"], "seed": ["12345678901", "1"]})
    names = selection.short_names(list(params))
    assert selection.format_settings(params.iloc[0], names) == "lr=0.01235 seed=12345678901"
    assert selection.format_settings(params.iloc[1], names) == "lr=0.1 seed=1"


def test_a_run_that_was_not_finished_is_not_the_best_for_its_time(workplace: Path) -> None:
    client = store.client()
    for name, loss, tags in (("whole", 0.5, {}), ("cut", 0.4, {"lab.trial_state": "pruned"})):
        make_run(client, "p", name, {"a": name}, {"val/loss": [loss]}, tags)
    app = opened_page("compare", runs=",".join(open_tables().runs().ids), view="time")
    (chart,) = app.get("plotly_chart")
    points = json.loads(chart.proto.spec)["data"][0]
    front = [
        label for label, symbol in zip(points["text"], points["marker"]["symbol"], strict=True) if symbol != "circle"
    ]
    assert front == ["a=whole"]
