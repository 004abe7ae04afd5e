"""The verdict on chosen runs, and the commands to go on with."""

from pathlib import Path

import pytest
import yaml
from made_runs import make_run
from pages import opened_page, texts

from dashboard.compare import verdict as verdict_view
from lab.comparisons import comparison
from lab.tracking import store
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import open_tables


@pytest.fixture
def table(workplace: Path) -> RunTable:
    """Two learning rates on six seeds each, the second one better by 0.1."""
    for lr, offset in (("0.01", 0.0), ("0.1", 0.1)):
        for seed in range(6):
            accuracy = 0.7 + offset + seed / 100 + (seed % 3) / 1000 * offset
            make_run(
                store.client(),
                "mlp",
                f"mlp optimizer.lr={lr} seed={seed}",
                {"optimizer.lr": lr, "seed": str(seed), "trainer.max_epochs": "5"},
                {"val/accuracy": [accuracy], "at_best/val/accuracy": [accuracy]},
                {"lab.kind": "run", "lab.experiment": "mlp", "lab.directions": '{"accuracy": true}'},
            )
    return open_tables().runs()


def test_the_verdict_its_command_and_a_comparison_file(table: RunTable) -> None:
    app = opened_page("compare", runs=",".join(table.ids), view="verdict", metric="val/accuracy")
    assert "optimizer.lr=0.1 is better than optimizer.lr=0.01 by 0.1" in texts(app).replace("\\", "")
    command, file = (block.value for block in app.code)
    assert command.startswith(".venv/bin/lab compare ")
    assert command.endswith(" --metric val/accuracy")
    assert file.startswith("# experiments/comparisons/mine.yaml\nbase: mlp\narms:\n")


def test_the_file_is_a_comparison_whose_control_is_the_older_group(table: RunTable) -> None:
    content = yaml.safe_load(verdict_view.comparison_file(table, "val/accuracy"))
    parsed = comparison.parse("mine", "Why?", content)
    assert [arm.part("optimizer").settings["lr"] for arm in parsed.arms.values()] == [0.01, 0.1]
    assert verdict_view.comparison_file(table.only(table.ids[:6]), "val/accuracy") == ""


def test_a_run_without_the_metric_is_left_out_of_the_verdict_and_counted(table: RunTable) -> None:
    failed = make_run(store.client(), "mlp", "mlp", {"optimizer.lr": "9", "seed": "0"}, status="FAILED")
    app = opened_page("compare", runs=",".join([failed, *table.ids]), view="verdict", metric="val/accuracy")
    said = texts(app).replace("\\", "")
    assert "1 run without val/accuracy left out" in said
    assert "optimizer.lr=0.1 is better than" in said


def test_runs_that_cannot_be_paired_are_compared_unpaired(table: RunTable) -> None:
    few = ",".join([*table.ids[:3], *table.ids[-3:]])
    app = opened_page("compare", runs=few, view="verdict", metric="val/accuracy")
    assert "pairing needs" in texts(app)
    app.toggle(key="unpaired").set_value(True).run()
    assert "is better than" in texts(app)
    assert "--unpaired" in app.code[0].value
