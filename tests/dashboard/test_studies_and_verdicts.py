"""The pages of studies and of verdicts."""

import json
from pathlib import Path

from made_runs import Filled, make_run
from pages import opened_page, texts

from lab.comparisons.statistics.design import RULE
from lab.tracking import store
from lab.tracking.writing.outbox import Outbox


def test_studies_in_a_real_storage(filled: Filled, workplace: Path) -> None:
    import optuna

    study = optuna.create_study(storage=f"sqlite:///{workplace}/mlruns/optuna.db", study_name="mine-1")
    for _ in range(6):
        trial = study.ask()
        x, y = trial.suggest_float("model.x", 0, 1), trial.suggest_float("y", 0, 1)
        trial.report(x, 1)
        study.tell(trial, x + y)
    for view in ("history", "importance", "slices", "contour", "parallel", "intermediate values", "timeline"):
        app = opened_page("studies", study="mine-1", view=view)
    assert app.selectbox(key="study").value == "mine-1"
    assert "no study gone" in texts(opened_page("studies", study="gone"))


def test_the_best_value_of_a_study_is_told_with_the_metric_that_its_run_recorded(workplace: Path) -> None:
    import optuna

    for name in ("recorded", "foreign"):
        study = optuna.create_study(storage=f"sqlite:///{workplace}/mlruns/optuna.db", study_name=name)
        study.tell(study.ask(), 0.25)
    tags = {"lab.kind": "study", "lab.study": "recorded", "lab.metric": "val/rmse"}
    make_run(store.client(), "small", "study recorded", {}, {}, tags)
    assert "**best val/rmse 0.25** (lower is better)" in texts(opened_page("studies", study="recorded"))
    assert "**best 0.25** (lower is better)" in texts(opened_page("studies", study="foreign"))


def test_verdicts_show_question_findings_and_table(tiny: str) -> None:
    from lab.comparisons import comparison, run

    content = {"base": tiny, "arms": {"slow": {"optimizer.lr": 1e-5}, "fast": {"optimizer.lr": 0.01}}, "seeds": "5..8"}
    result = run.run(comparison.parse("rates", "Which <b>rate</b>?", content), 1, lambda findings: None)
    assert result.run_id is not None
    app = opened_page("verdicts")
    said = texts(app)
    assert "fast is better than slow by" in said
    assert "<b>" not in said
    assert app.dataframe[-1].value["verdict"].tolist() == ["better"]
    assert app.dataframe[-1].value["rule"].tolist() == [RULE]
    assert "There is no comparison gone" in texts(opened_page("verdicts", comparison="gone"))
    app.text_area(key=f"edit-note-{result.run_id}").set_value("a **note**")
    next(button for button in app.button if button.label == "Save note").click().run()
    assert "a **note**" in texts(app)
    home = opened_page("home")
    assert "fast is better than slow by" in texts(home)
    assert "comparison rates" not in [run for table in home.dataframe for run in table.value.get("run", ())]


def test_a_comparison_of_version_0_2_is_shown_with_the_rule_that_decided_it(tiny: str) -> None:
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
    app = opened_page("verdicts")
    assert "fast is better than slow by" in texts(app)
    assert app.dataframe[-1].value["rule"].tolist() == ["anytime-valid t test"]
