"""Every page with real runs."""

from pathlib import Path

import pandas as pd
import pytest
from made_runs import EVIL, Filled, make_run
from pages import opened_page, texts
from streamlit.testing.v1 import AppTest

from lab.tracking import edits, store
from lab.tracking.reading.tables import open_tables

PAGES = ("home", "runs", "compare", "run", "studies", "verdicts")


@pytest.mark.parametrize("page", PAGES)
def test_without_a_store_each_page_says_so_and_creates_none(page: str, empty_workplace: Path) -> None:
    app = opened_page(page)
    assert "no runs yet" in texts(app) or "No studies yet" in texts(app)
    assert page != "studies" or not app.error
    assert not (empty_workplace / "mlruns").exists()


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store(page: str, workplace: Path) -> None:
    said = texts(opened_page(page))
    assert any(words in said for words in ("The store is empty", "No run", "No studies yet", "No comparisons yet"))


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_cannot_be_opened(page: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace}/not/there.db")
    app = opened_page(page)
    assert "there is no" in texts(app) or "No studies yet" in texts(app)


def latest_results(app: AppTest) -> pd.DataFrame:
    """The last table of the page Home."""
    return app.dataframe[-1].value


def test_home_shows_running_runs_and_results(filled: Filled) -> None:
    app = opened_page()
    assert "Running now" in texts(app)
    assert "epoch 2 of 10" in app.get("progress")[0].proto.text
    latest = latest_results(app)
    row = latest[latest["run"] == "digits optimizer.lr=0.1 seed=3"].iloc[0]
    assert (row["metric"], row["value"], row["baseline"]) == ("test/accuracy", "0.9", "0.1")


def test_a_cross_validation_is_one_result_that_links_to_its_folds(workplace: Path) -> None:
    client = store.client()
    metrics, kind = {"test/accuracy": [0.9], "sd/test/accuracy": [0.02]}, {"lab.kind": "cross-validation"}
    whole = make_run(client, "digits", "5 folds of digits", {}, metrics, kind)
    for fold in range(1, 6):
        tags = {"lab.kind": "fold", "mlflow.parentRunId": whole}
        make_run(client, "digits", f"digits fold={fold}/5", {"fold": f"{fold}/5"}, {"test/accuracy": [0.9]}, tags)
    assert latest_results(opened_page())[["run", "value"]].to_numpy().tolist() == [["5 folds of digits", "0.9"]]
    (link,) = opened_page("run", run=whole[:8]).get("page_link")
    assert link.proto.label == "compare its 5 runs"


def test_runs_lists_all_and_filters(filled: Filled) -> None:
    app = opened_page("runs")
    assert len(app.dataframe[0].value) == 10
    assert {"optimizer.lr", "seed", "val/loss"} <= set(app.dataframe[0].value)
    app.multiselect(key="experiment").set_value(["foreign"]).run()
    assert set(app.dataframe[0].value["name"]) == {"broken", "nothing recorded"}
    app.multiselect(key="state").set_value(["✕ failed"]).run()
    assert list(app.dataframe[0].value["name"]) == ["nothing recorded"]


def test_runs_filtered_by_the_url(filled: Filled) -> None:
    app = opened_page("runs", experiment="digits", text="seed=2", select=filled.seeds[0][:8])
    assert len(app.dataframe[0].value) == 2
    assert "**1** selected" in texts(app)


@pytest.mark.parametrize(
    ("key", "value", "amount"),
    [
        ("tag", "lab.kind", 7),
        ("tag", "data.fingerprint=abc", 6),
        ("query", "metrics.`test/accuracy` > 0.5 and params.seed = '1'", 2),
        ("query", "params.optimizer.lr = 0.1 and params.seed != 1", 2),
        ("text", "lr=0.1", 3),
        ("text", "0.1", 3),
        ("text", "params.optimizer.lr = 0.10", 3),
        ("text", "kind=mlp lr=0.01", 3),
        ("text", "digits seed=3", 2),
    ],
)
def test_other_filters(filled: Filled, key: str, value: str, amount: int) -> None:
    assert len(opened_page("runs", **{key: value}).dataframe[0].value) == amount


def test_a_word_that_nothing_matches(filled: Filled) -> None:
    assert "No run matches" in texts(opened_page("runs", text="kind=ml lr=0.01"))


def test_an_invalid_filter_is_reported(filled: Filled) -> None:
    app = opened_page("runs", query="metrics.loss ~ 3")
    assert "filter" in app.error[0].value
    assert not app.dataframe


def test_a_run_whose_last_value_is_nan_has_curves_and_shows_the_nan(workplace: Path) -> None:
    values = {"train/loss": [1.0, 0.5, float("nan")], "val/loss": [2.0, 1.5, float("nan")]}
    run = make_run(store.client(), "p", "diverged", {}, values, status="FAILED")
    shown = opened_page("run", run=run)
    assert "no metrics" not in texts(shown)
    assert "no such metric" not in texts(shown)
    rows = shown.dataframe[0].value.set_index("metric")
    assert rows.loc["val/loss", ["best", "last"]].tolist() == [1.5, "NaN"]
    latest = latest_results(opened_page()).iloc[0]
    assert (latest["run"], latest["value"]) == ("diverged", "NaN")
    compared = opened_page("compare", runs=run)
    assert compared.multiselect(key="metric").value == ["val/loss"]
    assert len(compared.get("plotly_chart")) == 1


def test_rename_tag_archive_and_undo(filled: Filled) -> None:
    run = filled.seeds[0]
    app = opened_page("runs", select=run)
    app.text_input(key=f"edit-name-{run}").set_value("better name")
    next(button for button in app.button if button.label == "Rename").click().run()
    assert "better name" in set(app.dataframe[0].value["name"])
    app.text_input(key="edit-tag").set_value("mine")
    app.text_input(key="edit-value").set_value("good")
    next(button for button in app.button if button.label == "Set tag").click().run()
    assert filled.client.get_run(run).data.tags["mine"] == "good"
    next(button for button in app.button if button.label == "Archive 1 run").click().run()
    assert len(app.dataframe[0].value) == 9
    assert not app.exception
    next(button for button in app.button if button.label == "Undo").click().run()
    assert len(app.dataframe[0].value) == 10
    assert filled.client.get_run(run).info.lifecycle_stage == "active"


def test_a_reserved_tag_is_not_changed(filled: Filled) -> None:
    app = opened_page("runs", select=filled.seeds[0])
    app.text_input(key="edit-tag").set_value("lab.kind")
    next(button for button in app.button if button.label == "Set tag").click().run()
    assert "'lab\\.kind' is reserved" in app.error[0].value


def test_compare_groups_by_all_but_the_seed(filled: Filled) -> None:
    app = opened_page("compare", runs=",".join(filled.seeds), group="all but the seed")
    assert "6 runs in 2 groups" in texts(app)
    assert list(app.dataframe[0].value["group"]) == ["lr=0.01", "lr=0.1"]
    assert not app.warning


@pytest.mark.parametrize("view", ["curves", "results", "scatter", "parallel", "time", "confusion", "code"])
def test_each_view_of_compare(filled: Filled, view: str) -> None:
    opened_page("compare", runs=",".join([*filled.seeds, filled.broken, filled.empty, filled.evil]), view=view)
    opened_page("compare", runs=filled.empty, view=view)


def test_best_values_that_no_tool_recorded_are_computed(workplace: Path) -> None:
    client = store.client()
    for seed, values in enumerate(([3.0, 0.25, 1.0], [4.0, 0.75, 2.0])):
        run = make_run(client, "p", f"run {seed}", {"seed": str(seed)}, {"val_loss": values, "d": values})
    ids = ",".join(open_tables().runs().ids)
    (results,) = opened_page("compare", runs=ids, group="all but the seed", view="results").dataframe[:1]
    assert results.value["best/val_loss"].tolist() == [0.5]
    (summary,) = opened_page("run", run=run).dataframe[:1]
    assert summary.value.to_dict("records") == [{"metric": "val_loss", "best": 0.75, "last": 2.0}]
    assert opened_page("home").dataframe[0].value["metric"].tolist() == ["val_loss", "val_loss"]


def test_compare_warns(filled: Filled) -> None:
    other = make_run(
        filled.client,
        "digits",
        "unfair",
        {"optimizer.lr": "0.01", "seed": "1", "trainer.max_epochs": "50", "model.kind": "mlp"},
        {"val/loss": [1.0]},
        {"data.fingerprint": "other"},
    )
    app = opened_page("compare", runs=f"{filled.seeds[0]},{other}", group="optimizer.lr")
    said = " ".join(warning.value for warning in app.warning).replace("\\", "")
    assert "2 different versions of the data" in said
    assert "trainer.max_epochs: 5, 50" in said
    assert "seed 1 more than once" in said


def test_nan_and_infinity_are_reported(filled: Filled) -> None:
    said = texts(opened_page("compare", runs=f"{filled.broken},{filled.seeds[0]}")).replace("\\", "")
    assert "3 values are NaN or infinite (marked ✕)" in said


@pytest.mark.parametrize("view", ["curves", "outcome", "settings", "system", "profile", "environment", "files"])
def test_each_view_of_each_run(filled: Filled, view: str) -> None:
    for run in (filled.seeds[0], filled.running, filled.broken, filled.empty, filled.evil):
        opened_page("run", run=run[:8], view=view)


def test_a_run_with_its_baseline_and_its_command(filled: Filled) -> None:
    row = opened_page("run", run=filled.seeds[0]).dataframe[0].value.iloc[0]
    assert (row["metric"], row["at the best epoch"], row["baseline"]) == ("test/accuracy", 0.9, 0.1)
    app = opened_page("run", run=filled.seeds[0], view="settings")
    assert ".venv/bin/lab run digits model.kind=mlp optimizer.lr=0.01 seed=1" in app.code[0].value


def test_a_run_says_first_how_it_stands_against_its_baselines(filled: Filled) -> None:
    metrics = {"test/accuracy": [0.8], "baseline/test/accuracy": [0.6], "quick_baseline/test/accuracy": [0.85]}
    tags = {
        "lab.main_metric": "accuracy",
        "lab.baseline": "majority class",
        "lab.quick_baseline": "logistic regression",
    }
    run = make_run(filled.client, "digits", "judged", metrics=metrics, tags=tags)
    app = opened_page("run", run=run)
    assert app.error[0].value.replace("\\", "") == (
        "No better than logistic regression: test/accuracy 0.8000 against 0.8500; the majority class has 0.6000."
    )
    row = app.dataframe[0].value.iloc[0]
    assert (row["baseline"], row["quick baseline"]) == (0.6, 0.85)


def test_a_run_that_recorded_no_seed(filled: Filled) -> None:
    assert "from one seed, which the run did not record" in texts(opened_page("run", run=filled.evil))


def test_runs_without_the_metric_are_counted(filled: Filled) -> None:
    said = texts(opened_page("compare", runs=f"{filled.seeds[0]},{filled.evil},{filled.empty}"))
    assert "1 run of 3 did not record val/loss" in said


def test_names_with_html_are_text(filled: Filled) -> None:
    app = opened_page("run", run=filled.evil)
    assert app.title[0].value.startswith("\\<img src\\=x")
    assert len(app.title[0].value) < len(EVIL)


@pytest.mark.parametrize(("page", "parameter"), [("run", "run"), ("compare", "runs"), ("runs", "select")])
def test_a_link_to_a_missing_run(filled: Filled, page: str, parameter: str) -> None:
    for gone in ("0123456789abcdef", "<b>", "%", "1"):
        assert "cannot be found" in texts(opened_page(page, **{parameter: gone}))


def test_without_a_run_the_latest_are_listed_but_not_the_parts_of_others(filled: Filled) -> None:
    client = store.client()
    make_run(client, "digits", "a seed", tags={"lab.kind": "replicate"})
    app = opened_page("run")
    listed = [element.proto.label for element in app.get("page_link")] + [button.label for button in app.button]
    assert "a seed" not in listed
    assert any("digits" in label for label in listed)


def test_the_format_of_pictures_is_offered_where_there_are_pictures(filled: Filled) -> None:
    assert "the camera above a picture saves" in texts(opened_page("run", run=filled.seeds[0]))
    for page in ("run", "compare"):
        assert "camera" not in texts(opened_page(page))


def test_a_run_archived_while_its_page_is_open(filled: Filled) -> None:
    app = opened_page("run", run=filled.seeds[0])
    edits.archive([filled.seeds[0]])
    from dashboard import store_reads

    store_reads.invalidate_runs()
    app.run()
    assert not app.exception
    assert "cannot be found" in texts(app)


def test_500_metrics_on_one_run(filled: Filled) -> None:
    run = make_run(filled.client, "wide", "wide", {}, {f"metric {number}": [1.0] for number in range(500)})
    for page, query in (("run", {"run": run}), ("runs", {}), ("compare", {"runs": run}), ("home", {})):
        app = opened_page(page, **query)
    assert app
