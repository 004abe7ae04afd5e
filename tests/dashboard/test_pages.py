"""Every page with real runs, through Streamlit's own test harness."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import EVIL, Filled, make_run
from streamlit.testing.v1 import AppTest

import dashboard
from lab.comparisons.design import RULE
from lab.tracking import edits, store
from lab.tracking.reading.tables import open_tables
from lab.tracking.writing.outbox import Outbox

APP = Path(dashboard.__path__[0]) / "app.py"
Open = Callable[..., AppTest]


@pytest.fixture
def opened() -> Open:
    def open_page(page: str = "home", **query: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.switch_page(f"app_pages/{page}.py")
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception
        return app

    return open_page


def texts(app: AppTest) -> str:
    """All text on a page."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


PAGES = ("home", "runs", "compare", "run", "studies", "verdicts")


@pytest.mark.parametrize("page", PAGES)
def test_without_a_store_each_page_says_so_and_creates_none(page: str, opened: Open, empty_workplace: Path) -> None:
    app = opened(page)
    assert "no runs yet" in texts(app) or "no studies yet" in texts(app)
    assert not (empty_workplace / "mlruns").exists()


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store(page: str, opened: Open, workplace: Path) -> None:
    said = texts(opened(page))
    assert any(words in said for words in ("The store is empty", "No run", "no studies yet", "No comparisons yet"))


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_cannot_be_opened(
    page: str, opened: Open, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workplace}/not/there.db")
    app = opened(page)
    assert "there is no" in texts(app) or "no studies yet" in texts(app)


def test_home_shows_running_runs_and_results(opened: Open, filled: Filled) -> None:
    app = opened()
    assert "Running now" in texts(app)
    assert "epoch 2 of 10" in app.get("progress")[0].proto.text
    latest = app.dataframe[0].value
    row = latest[latest["run"] == "digits optimizer.lr=0.1 seed=3"].iloc[0]
    assert (row["metric"], row["value"], row["baseline"]) == ("test/accuracy", 0.9, 0.1)


def test_a_cross_validation_is_one_result_that_links_to_its_folds(opened: Open, workplace: Path) -> None:
    client = store.client()
    metrics, kind = {"test/accuracy": [0.9], "sd/test/accuracy": [0.02]}, {"lab.kind": "cross-validation"}
    whole = make_run(client, "digits", "5 folds of digits", {}, metrics, kind)
    for fold in range(1, 6):
        tags = {"lab.kind": "fold", "mlflow.parentRunId": whole}
        make_run(client, "digits", f"digits fold={fold}/5", {"fold": f"{fold}/5"}, {"test/accuracy": [0.9]}, tags)
    assert opened().dataframe[0].value[["run", "value"]].to_numpy().tolist() == [["5 folds of digits", 0.9]]
    (link,) = opened("run", run=whole[:8]).get("page_link")
    assert link.proto.label == "compare its 5 runs"


def test_runs_lists_all_and_filters(opened: Open, filled: Filled) -> None:
    app = opened("runs")
    assert len(app.dataframe[0].value) == 10
    assert {"optimizer.lr", "seed", "val/loss"} <= set(app.dataframe[0].value)
    app.multiselect(key="experiment").set_value(["foreign"]).run()
    assert set(app.dataframe[0].value["name"]) == {"broken", "nothing recorded"}
    app.multiselect(key="state").set_value(["✕ failed"]).run()
    assert list(app.dataframe[0].value["name"]) == ["nothing recorded"]


def test_runs_filtered_by_the_url(opened: Open, filled: Filled) -> None:
    app = opened("runs", experiment="digits", text="seed=2", select=filled.seeds[0][:8])
    assert len(app.dataframe[0].value) == 2
    assert "**1** selected" in texts(app)


@pytest.mark.parametrize(
    ("key", "value", "amount"),
    [
        ("tag", "lab.kind", 7),
        ("tag", "data.fingerprint=abc", 6),
        ("query", "metrics.`test/accuracy` > 0.5 and params.seed = '1'", 2),
        ("text", "digits seed=3", 2),
    ],
)
def test_other_filters(opened: Open, filled: Filled, key: str, value: str, amount: int) -> None:
    assert len(opened("runs", **{key: value}).dataframe[0].value) == amount


def test_an_invalid_filter_is_reported(opened: Open, filled: Filled) -> None:
    app = opened("runs", query="metrics.loss ~ 3")
    assert "filter" in app.error[0].value
    assert len(app.dataframe[0].value) == 10


def test_rename_tag_archive_and_undo(opened: Open, filled: Filled) -> None:
    run = filled.seeds[0]
    app = opened("runs", select=run)
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


def test_a_reserved_tag_is_not_changed(opened: Open, filled: Filled) -> None:
    app = opened("runs", select=filled.seeds[0])
    app.text_input(key="edit-tag").set_value("lab.kind")
    next(button for button in app.button if button.label == "Set tag").click().run()
    assert "'lab\\.kind' is reserved" in app.error[0].value


def test_compare_groups_by_all_but_the_seed(opened: Open, filled: Filled) -> None:
    app = opened("compare", runs=",".join(filled.seeds), group="all but the seed")
    assert "6 runs in 2 groups" in texts(app)
    assert list(app.dataframe[0].value["group"]) == ["lr=0.01", "lr=0.1"]
    assert not app.warning


@pytest.mark.parametrize("view", ["curves", "results", "scatter", "parallel", "time", "confusion", "code"])
def test_each_view_of_compare(opened: Open, filled: Filled, view: str) -> None:
    opened("compare", runs=",".join([*filled.seeds, filled.broken, filled.empty, filled.evil]), view=view)
    opened("compare", runs=filled.empty, view=view)


def test_best_values_that_no_tool_recorded_are_computed(opened: Open, workplace: Path) -> None:
    client = store.client()
    for seed, values in enumerate(([3.0, 0.25, 1.0], [4.0, 0.75, 2.0])):
        run = make_run(client, "p", f"run {seed}", {"seed": str(seed)}, {"val_loss": values, "d": values})
    ids = ",".join(open_tables().runs().ids)
    (results,) = opened("compare", runs=ids, group="all but the seed", view="results").dataframe[:1]
    assert results.value["best/val_loss"].tolist() == [0.5]
    (summary,) = opened("run", run=run).dataframe[:1]
    assert summary.value.to_dict("records") == [{"metric": "val_loss", "best": 0.75, "last": 2.0}]
    assert opened("home").dataframe[0].value["metric"].tolist() == ["val_loss", "val_loss"]


def test_compare_warns(opened: Open, filled: Filled) -> None:
    other = make_run(
        filled.client,
        "digits",
        "unfair",
        {"optimizer.lr": "0.01", "seed": "1", "trainer.max_epochs": "50", "model.kind": "mlp"},
        {"val/loss": [1.0]},
        {"data.fingerprint": "other"},
    )
    app = opened("compare", runs=f"{filled.seeds[0]},{other}", group="optimizer.lr")
    said = " ".join(warning.value for warning in app.warning).replace("\\", "")
    assert "2 different versions of the data" in said
    assert "trainer.max_epochs: 5, 50" in said
    assert "seed 1 more than once" in said


def test_nan_and_infinity_are_reported(opened: Open, filled: Filled) -> None:
    said = texts(opened("compare", runs=f"{filled.broken},{filled.seeds[0]}")).replace("\\", "")
    assert "3 values are NaN or infinite (marked ✕)" in said


@pytest.mark.parametrize("view", ["curves", "outcome", "settings", "system", "profile", "environment", "files"])
def test_each_view_of_each_run(opened: Open, filled: Filled, view: str) -> None:
    for run in (filled.seeds[0], filled.running, filled.broken, filled.empty, filled.evil):
        opened("run", run=run[:8], view=view)


def test_a_run_with_its_baseline_and_its_command(opened: Open, filled: Filled) -> None:
    app = opened("run", run=filled.seeds[0], view="settings")
    row = app.dataframe[0].value.iloc[0]
    assert (row["metric"], row["at the best epoch"], row["baseline"]) == ("test/accuracy", 0.9, 0.1)
    assert ".venv/bin/lab run digits model.kind=mlp optimizer.lr=0.01 seed=1" in app.code[0].value


def test_a_run_says_first_how_it_stands_against_its_baselines(opened: Open, filled: Filled) -> None:
    metrics = {"test/accuracy": [0.8], "baseline/test/accuracy": [0.6], "quick_baseline/test/accuracy": [0.85]}
    tags = {
        "lab.main_metric": "accuracy",
        "lab.baseline": "majority class",
        "lab.quick_baseline": "logistic regression",
    }
    run = make_run(filled.client, "digits", "judged", metrics=metrics, tags=tags)
    app = opened("run", run=run)
    assert app.error[0].value.replace("\\", "") == (
        "No better than logistic regression: test/accuracy 0.8000 against 0.8500; the majority class has 0.6000."
    )
    row = app.dataframe[0].value.iloc[0]
    assert (row["baseline"], row["quick baseline"]) == (0.6, 0.85)


def test_a_run_that_recorded_no_seed(opened: Open, filled: Filled) -> None:
    assert "from one seed, which the run did not record" in texts(opened("run", run=filled.evil))


def test_runs_without_the_metric_are_counted(opened: Open, filled: Filled) -> None:
    said = texts(opened("compare", runs=f"{filled.seeds[0]},{filled.evil},{filled.empty}"))
    assert "1 run of 3 did not record val/loss" in said


def test_names_with_html_are_text(opened: Open, filled: Filled) -> None:
    app = opened("run", run=filled.evil)
    assert app.title[0].value.startswith("\\<img src\\=x")
    assert len(app.title[0].value) < len(EVIL)


@pytest.mark.parametrize(("page", "parameter"), [("run", "run"), ("compare", "runs"), ("runs", "select")])
def test_a_link_to_a_missing_run(opened: Open, filled: Filled, page: str, parameter: str) -> None:
    for gone in ("0123456789abcdef", "<b>", "%", "1"):
        assert "cannot be found" in texts(opened(page, **{parameter: gone}))


def test_a_run_archived_while_its_page_is_open(opened: Open, filled: Filled) -> None:
    app = opened("run", run=filled.seeds[0])
    edits.archive([filled.seeds[0]])
    from dashboard import store_reads

    store_reads.invalidate_runs()
    app.run()
    assert not app.exception
    assert "cannot be found" in texts(app)


def test_500_metrics_on_one_run(opened: Open, filled: Filled) -> None:
    run = make_run(filled.client, "wide", "wide", {}, {f"metric {number}": [1.0] for number in range(500)})
    for page, query in (("run", {"run": run}), ("runs", {}), ("compare", {"runs": run}), ("home", {})):
        app = opened(page, **query)
    assert app


def test_studies_in_a_real_storage(opened: Open, filled: Filled, workplace: Path) -> None:
    import optuna

    study = optuna.create_study(storage=f"sqlite:///{workplace}/mlruns/optuna.db", study_name="mine-1")
    for _ in range(6):
        trial = study.ask()
        x, y = trial.suggest_float("model.x", 0, 1), trial.suggest_float("y", 0, 1)
        trial.report(x, 1)
        study.tell(trial, x + y)
    for view in ("history", "importance", "slices", "contour", "parallel", "intermediate values", "timeline"):
        app = opened("studies", study="mine-1", view=view)
    assert app.selectbox(key="study").value == "mine-1"
    assert "no study gone" in texts(opened("studies", study="gone"))


def test_verdicts_show_question_findings_and_table(opened: Open, tiny: str) -> None:
    from lab.comparisons import comparison, run

    content = {"base": tiny, "arms": {"slow": {"optimizer.lr": 1e-5}, "fast": {"optimizer.lr": 0.01}}, "seeds": "5..8"}
    result = run.run(comparison.parse("rates", "Which <b>rate</b>?", content), 1, lambda findings: None)
    assert result.run_id is not None
    app = opened("verdicts")
    said = texts(app)
    assert "fast is better than slow by" in said
    assert "<b>" not in said
    assert app.dataframe[0].value["verdict"].tolist() == ["better"]
    assert app.dataframe[0].value["rule"].tolist() == [RULE]
    assert "There is no comparison gone" in texts(opened("verdicts", comparison="gone"))


def test_a_comparison_of_version_0_2_is_shown_with_the_rule_that_decided_it(opened: Open, tiny: str) -> None:
    verdict = {"state": "better", "n": 6, "mean": 0.2, "deviation": 0.01, "low": 0.1, "high": 0.3, "e_value": 99.0}
    content = {
        "name": "old",
        "question": "Which rate?",
        "measure": "val/accuracy",
        "higher_is_better": True,
        "margin": 0.0,
        "alpha": 0.05,
        "control": "slow",
        "changes": {"slow": {}, "fast": {}},
        "verdicts": {"fast": verdict | {"superiority": 1.0}},
        "sentences": ["fast is better than slow by 0.2000 val/accuracy, decided after 6 seeds"],
        "scores": {"slow": {"1": 0.5}, "fast": {"1": 0.7}},
        "extras": {},
        "narrowing": {"fast": [{"seed": 1, "difference": 0.2, "mean": 0.2, "low": 0.1, "high": 0.3}]},
    }
    outbox = Outbox()
    tracker = outbox.tracker()
    tracker.start("tiny", "comparison old", {}, {"lab.kind": "comparison"})
    tracker.text("comparison.json", json.dumps(content))
    tracker.end("FINISHED")
    outbox.close()
    app = opened("verdicts")
    assert "fast is better than slow by" in texts(app)
    assert app.dataframe[0].value["rule"].tolist() == ["anytime-valid t test"]
