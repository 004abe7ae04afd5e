"""`lab.runs` and `lab.curves` on a store with runs of the lab and of a stranger."""

import math
from pathlib import Path

import pandas as pd
import pytest
from made_runs import EVIL, Filled, fill, make_run

import lab


@pytest.fixture
def filled(workplace: Path) -> Filled:
    return fill()


class TestRuns:
    """One row a run, one column a setting or a metric."""

    def test_the_table_and_its_filters(self, filled: Filled) -> None:
        self.check_table(filled)
        self.check_filters(filled)
        self.check_metrics(filled)
        self.check_errors()

    def check_table(self, filled: Filled) -> None:
        table = lab.runs()
        assert table.index.name == "run"
        assert set(table.index) == {*filled.seeds, filled.running, filled.broken, filled.empty, filled.evil}
        assert list(table.columns[:4]) == ["state", "name", "experiment", "kind"]
        assert list(table.columns[-2:]) == ["seconds", "started"]
        row = table.loc[filled.seeds[3]]
        assert (row["state"], row["experiment"], row["kind"]) == ("✓ finished", "digits", "run")
        assert (row["optimizer.lr"], row["seed"], row["model.kind"]) == (0.1, 1, "mlp")
        assert (row["test/accuracy"], row["val/loss"]) == (0.9, pytest.approx(1 / 5.2))
        assert table["started"].is_monotonic_decreasing
        assert str(table["started"].dtype.tz) == "UTC"
        assert table.loc[filled.evil, "name"] == EVIL[:250]
        assert math.isnan(table.loc[filled.empty, "val/loss"])

    def check_filters(self, filled: Filled) -> None:
        assert set(lab.runs("digits").index) == {*filled.seeds, filled.running}
        assert list(lab.runs(state="running").index) == [filled.running]
        chosen = lab.runs("digits", filter="params.`optimizer.lr` = '0.1' and metrics.`val/loss` < 0.192")
        assert set(chosen.index) == {filled.seeds[4], filled.seeds[5]}
        assert "tag" not in chosen
        assert list(lab.runs("foreign", state="failed").columns) == [
            "state",
            "name",
            "experiment",
            "kind",
            "seconds",
            "started",
        ]
        none = lab.runs(filter="params.seed = '99'")
        assert len(none) == 0
        assert "state" in none
        trial = make_run(filled.client, "digits", "trial 0", tags={"lab.kind": "trial"})
        assert trial not in lab.runs().index
        assert trial in lab.runs(parts=True).index

    def check_metrics(self, filled: Filled) -> None:
        shown = lab.runs("digits", metrics="test/accuracy")
        assert "val/loss" not in shown
        assert shown["test/accuracy"].notna().sum() == 6
        assert list(lab.runs("foreign", metrics=["test/accuracy"])["test/accuracy"].isna()) == [True, True]

    def check_errors(self) -> None:
        for arguments, message in [
            ({"experiment": "digit"}, "no experiment 'digit' has runs; did you mean digits"),
            ({"state": "finishd"}, "--state: no such state 'finishd'; did you mean finished"),
            ({"filter": "loss <"}, "filter: "),
            ({"filter": ["a"]}, "filter: must be text, not list"),
            ({"metrics": 5}, "metrics: must be names of metrics, not 5"),
            ({"metrics": ["val/los"]}, "metrics: no run has 'val/los'; did you mean val/loss"),
        ]:
            with pytest.raises(lab.LabError, match=message):
                lab.runs(**arguments)


class TestCurves:
    """A row per run and step."""

    def test_curves_of_everything_that_names_runs(self, filled: Filled) -> None:
        self.check_tidy(filled)
        self.check_names(filled)
        self.check_errors(filled)

    def check_tidy(self, filled: Filled) -> None:
        found = lab.curves(lab.runs("digits", state="finished"), "val/loss")
        assert list(found.columns) == ["run", "name", "step", "value"]
        assert list(found.index) == list(range(30))
        one = found[found["run"] == filled.seeds[0]]
        assert list(one["step"]) == [1, 2, 3, 4, 5]
        assert list(one["value"]) == [pytest.approx(1 / (step + 0.11)) for step in range(1, 6)]
        assert set(one["name"]) == {"digits optimizer.lr=0.01 seed=1"}
        assert list(found["run"].unique()) == list(lab.runs("digits", state="finished").index)
        values = lab.curves(filled.broken, "val/loss")["value"]
        assert (math.isnan(values[1]), values[2], values[3]) == (True, math.inf, -math.inf)

    def check_names(self, filled: Filled) -> None:
        first, second = filled.seeds[:2]
        expected = lab.curves([second, first], "train/loss")
        assert list(expected["run"].unique()) == [second, first]
        for runs in (
            [second[:10], "digits optimizer.lr=0.01 seed=1"],
            pd.Series([second, first]),
            (run for run in (second, first, second)),
            lab.runs().loc[[second, first]],
            lab.runs().loc[[second, first]].reset_index(),
        ):
            assert lab.curves(runs, "train/loss").equals(expected)
        assert set(lab.curves("latest:digits", "val/loss")["run"]) <= {*filled.seeds, filled.running}

    def check_errors(self, filled: Filled) -> None:
        for runs, metric, message in [
            (filled.seeds, "val/los", "metric: the runs have no 'val/los'; did you mean val/loss"),
            ("f" * 32, "val/loss", f"there is no run {'f' * 32}"),
            ("no such run", "val/loss", "no run 'no such run'"),
            ([], "val/loss", "runs: there are none"),
            (3, "val/loss", "runs: 3 is no run"),
            (pd.DataFrame({"x": [1]}), "val/loss", "runs: the DataFrame must have the ids"),
        ]:
            with pytest.raises(lab.LabError, match=message):
                lab.curves(runs, metric)


def test_without_a_store_the_error_says_how_to_make_one(empty_workplace: Path) -> None:
    with pytest.raises(lab.LabError, match="no runs yet"):
        lab.runs()
    with pytest.raises(lab.LabError, match="no runs yet"):
        lab.curves("f" * 32, "val/loss")
    assert not (empty_workplace / "mlruns").exists()
