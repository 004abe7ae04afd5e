"""The ways to an answer: links that lead to the view of the runs that answers a question."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from made_runs import Filled, make_run
from pages import opened_page, texts
from streamlit.testing.v1 import AppTest

from dashboard import answers, selection
from dashboard.compare import suggestions
from lab.tracking import store
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import open_tables


def query_of(app: AppTest, label: str) -> dict[str, str]:
    """The query of the link with this label."""
    link = next(link for link in app.get("page_link") if link.proto.label.replace("\\", "") == label)
    return {name: values[0] for name, values in parse_qs(link.proto.query_string).items()}


@pytest.fixture
def rates(workplace: Path) -> RunTable:
    """Three learning rates on six seeds each, a run with another budget, and one that failed before its first step."""
    for lr, offset in (("0.01", 0.0), ("0.001", 0.2), ("0.1", 0.1)):
        for seed in range(6):
            accuracy = 0.7 + offset + seed / 100 + (seed % 3) / 1000 * offset
            metrics = {"val/accuracy": [accuracy], "at_best/val/accuracy": [accuracy]}
            _run({"optimizer.lr": lr, "seed": str(seed), "trainer.max_epochs": "5"}, metrics)
    _run({"optimizer.lr": "0.5", "seed": "0", "trainer.max_epochs": "50"}, {"val/accuracy": [0.1]})
    return open_tables().runs()


def _run(params: dict[str, str], metrics: dict[str, list[float]], status: str = "FINISHED") -> str:
    tags = {"lab.kind": "run", "lab.experiment": "mlp", "lab.main_metric": "accuracy"}
    tags["lab.directions"] = '{"accuracy": true}'
    return make_run(store.client(), "mlp", "mlp", params, metrics, tags, status)


def test_the_runs_that_differ_in_one_setting_alone_are_offered_whatever_other_runs_there_are(rates: RunTable) -> None:
    (varied,) = suggestions.varied_settings(rates, rates.ids)
    assert (varied.setting, varied.values) == ("optimizer.lr", ("0.001", "0.01", "0.1"))
    assert set(varied.ids) == set(rates.ids[1:])
    assert varied.label() == "optimizer.lr: 0.001, 0.01, 0.1 (18 runs)"


def test_of_a_run_that_was_repeated_only_the_latest_is_offered(rates: RunTable) -> None:
    (before,) = suggestions.varied_settings(rates, rates.ids)
    again = _run({"optimizer.lr": "0.1", "seed": "0", "trainer.max_epochs": "5"}, {"val/accuracy": [0.8]})
    table = open_tables().runs()
    (varied,) = suggestions.varied_settings(table, table.ids)
    assert len(varied.ids) == len(before.ids)
    assert again in varied.ids


def test_a_run_that_goes_on_is_in_no_verdict_that_is_offered(rates: RunTable) -> None:
    going_on = _run({"optimizer.lr": "0.2", "seed": "0", "trainer.max_epochs": "5"}, {}, "RUNNING")
    table = open_tables().runs()
    (varied,) = suggestions.varied_settings(table, table.ids)
    assert going_on not in varied.ids


def test_runs_that_differ_in_nothing_but_the_seed_offer_no_verdict(workplace: Path) -> None:
    for seed in range(3):
        _run({"optimizer.lr": "0.1", "seed": str(seed)}, {"val/accuracy": [0.5]})
    table = open_tables().runs()
    assert suggestions.varied_settings(table, table.ids) == []


def test_the_verdict_on_any_two_values_of_a_setting_takes_three_clicks(rates: RunTable) -> None:
    query = query_of(opened_page("compare"), "optimizer.lr: 0.001, 0.01, 0.1 (18 runs)")
    assert (query["view"], query["group"]) == ("verdict", "optimizer.lr")
    app = opened_page("compare", **query, metric="val/accuracy")
    assert "optimizer.lr=0.1 is better than optimizer.lr=0.01" in texts(app).replace("\\", "")
    (control,) = [group for group in app.get("button_group") if group.key == "control"]
    control.set_value("lr=0.1").run()
    said = texts(app).replace("\\", "")
    assert "optimizer.lr=0.001 is better than optimizer.lr=0.1" in said
    assert "optimizer.lr=0.01 is worse than optimizer.lr=0.1" in said


def test_the_best_of_the_latest_runs_of_each_experiment_is_one_click_away(rates: RunTable) -> None:
    (row,) = answers.best_results(rates).to_dict("records")
    linked = urlsplit(row["compare"])
    query = {name: values[0] for name, values in parse_qs(linked.query).items()}
    assert (linked.path, query["view"]) == ("/compare", "results")
    assert query["runs"] == selection.format_ids(rates.ids[:10], rates)


def test_home_links_the_latest_ten_results_of_all_experiments(filled: Filled) -> None:
    query = query_of(opened_page(), "Compare the latest 9")  # of ten runs, one is going on
    assert query["view"] == "results"
    assert filled.running[:8] not in query["runs"]


def test_filtered_runs_are_compared_in_any_view_without_selecting_them(filled: Filled) -> None:
    app = opened_page("runs", text="lr=0.1")
    wanted = ",".join(run[:8] for run in reversed(filled.seeds[3:]))
    assert query_of(app, "Compare these 3") == {"runs": wanted}
    assert query_of(app, "confusion") == {"runs": wanted, "view": "confusion"}
    selected = opened_page("runs", text="lr=0.1", select=f"{filled.seeds[0]},{filled.seeds[1]}")
    assert query_of(selected, "verdict")["runs"] == ",".join(run[:8] for run in filled.seeds[:2])


def test_home_lists_the_studies_with_links(workplace: Path) -> None:
    client = store.client()
    whole = {"lab.kind": "study", "lab.study": "mlp-1a2b"}
    make_run(client, "mlp", "study of mlp", {}, {}, whole)
    for number in range(3):
        trial = {"lab.kind": "trial", "lab.study": "mlp-1a2b", "lab.trial": str(number)}
        make_run(client, "mlp", f"trial {number}", {}, {"val/loss": [1.0]}, trial)
    (row,) = answers.studies(open_tables().runs()).to_dict("records")
    assert (row["study"], row["trials"], row["open"]) == ("mlp-1a2b", 3, "/studies?study=mlp-1a2b")
    assert "Studies" in [title.value for title in opened_page().subheader]


@pytest.mark.parametrize(("view", "shown"), [("curves", True), ("verdict", False), ("results", False), ("code", False)])
def test_controls_of_curves_are_shown_beside_curves_alone(filled: Filled, view: str, shown: bool) -> None:
    app = opened_page("compare", runs=",".join(filled.seeds), view=view)
    assert ("smooth" in [slider.key for slider in app.slider]) == shown
    assert ("metric" in [choice.key for choice in app.multiselect]) == (view != "code")


def test_each_row_of_the_results_links_to_its_run_or_to_the_runs_of_its_group(filled: Filled) -> None:
    runs = ",".join(filled.seeds)
    single = opened_page("compare", runs=runs, view="results").dataframe[0].value
    assert set(single["open"]) == {f"/run?run={run[:8]}" for run in filled.seeds}
    groups = opened_page("compare", runs=runs, view="results", group="optimizer.lr").dataframe[0].value
    assert groups["runs"].tolist() == [3, 3]
    assert all(address.startswith("/compare?runs=") for address in groups["open"])


def test_a_setting_that_changes_only_what_is_recorded_is_no_setting_to_compare(workplace: Path) -> None:
    for seed, looked in ((0, "true"), (1, "true"), (0, "false"), (1, "false")):
        _run({"optimizer.lr": "0.1", "seed": str(seed), "trainer.histograms": looked}, {"val/accuracy": [0.5]})
    table = open_tables().runs()
    assert suggestions.varied_settings(table, table.ids) == []
    assert not any("histograms" in label for label in selection.run_labels(table).values())


def test_a_run_among_those_of_other_experiments_is_labelled_by_what_differs_in_its_own(workplace: Path) -> None:
    for lr in ("0.1", "0.2"):
        _run({"optimizer.lr": lr, "data.kind": "digits", "batch_size": "64"}, {"val/loss": [0.5]})
    make_run(store.client(), "text", "text", {"optimizer.lr": "0.005", "data.kind": "words", "a": "1"}, {})
    labels = selection.run_labels(open_tables().runs())
    assert set(labels.values()) == {"mlp lr=0.1", "mlp lr=0.2", "text"}


def test_the_scatter_begins_with_a_setting_that_runs_have_values_of(workplace: Path) -> None:
    runs = []
    for lr in ("0.1", "0.2"):
        runs.append(_run({"optimizer.lr": lr}, {"val/accuracy": [float(lr)]}))
    runs.append(make_run(store.client(), "text", "text", {"a.first": "0.9"}, {"val/loss": [1.0]}))
    app = opened_page("compare", runs=",".join(runs), view="scatter")
    assert next(box.value for box in app.selectbox if box.key == "x") == "optimizer.lr"
    assert len(app.get("plotly_chart")) == 1


def test_links_stand_beside_the_first_column_so_that_they_are_seen_on_a_narrow_screen(filled: Filled) -> None:
    table = opened_page("compare", runs=",".join(filled.seeds), view="results").dataframe[0].value
    assert list(table)[:2] == ["run", "open"]


def test_the_reason_of_a_failure_is_one_sentence_after_the_other(workplace: Path) -> None:
    tags = {"lab.kind": "run", "lab.failure": "the loss became nan\ntry: a lower optimizer.lr"}
    run = make_run(store.client(), "mlp", "mlp optimizer.lr=0.016185805876434887", {}, {}, tags, "FAILED")
    app = opened_page("run", run=run)
    assert "the loss became nan; try: a lower" in app.error[0].value.replace("\\", "")
    assert app.title[0].value.replace("\\", "") == "mlp optimizer.lr=0.01619"
    assert any("nan; try" in str(frame.value.to_dict()) for frame in opened_page().dataframe)


def test_a_name_on_home_has_four_digits_of_a_long_number(workplace: Path) -> None:
    name = 'mlp optimizer.kind="adamw" optimizer.lr=0.016185805876434887 seed=3'
    make_run(store.client(), "mlp", name, {}, {"val/loss": [1.0]})
    shown = answers.result(open_tables().runs(), open_tables().runs().ids[0], "finished")["run"]
    assert shown == 'mlp optimizer.kind="adamw" optimizer.lr=0.01619 seed=3'
