"""What the terminal and a notebook show of a run: first whether it beats its baselines, then the table."""

import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.config.experiment import from_sections, load
from lab.display.output import SafeConsole, as_text
from lab.tracking.reading import baselines, stored_runs
from lab.training import run as training
from lab.training.baselines import quick_baseline
from lab.training.results import report

pytestmark = pytest.mark.usefixtures("workplace")
RANDOM = np.random.default_rng(3)
MODEL = {"model": {"kind": "mlp", "hidden": 8, "layers": 1}, "optimizer": {"kind": "adamw", "lr": 0.01}}


def trained(frame: pd.DataFrame, epochs: int = 5, **sections: object) -> training.Result:
    frame.to_csv("table.csv", index=False)
    data = {"kind": "table", "path": "table.csv", "target": "y", "batch_size": 32}
    return training.run(
        from_sections("mine", "Does it pay?", {"data": data, **MODEL, "trainer": {"max_epochs": epochs}, **sections})
    )


def shown(result: training.Result) -> list[str]:
    return as_text(report.outcome(result)).splitlines()


def noise(y: object) -> pd.DataFrame:
    return pd.DataFrame(RANDOM.normal(size=(400, 3)), columns=["a", "b", "c"]).assign(y=y)


def test_classes_drawn_by_chance_are_no_better_than_the_baselines_and_that_is_the_first_line() -> None:
    result = trained(noise(RANDOM.choice(["yes", "no"], 400, p=[0.05, 0.95])))
    first, _, header, *_ = shown(result)
    assert first.startswith("No better than the majority class")
    assert "test/balanced_accuracy 0.5000" in first
    assert header.split()[:4] == ["mine", "train", "val", "test"]
    assert any(line.startswith("recall      by class, the lowest first: yes 0.000, no 1.000") for line in shown(result))


def test_a_class_that_the_test_does_not_have_is_named_and_not_ranked() -> None:
    result = trained(noise(np.resize(["a", "b", "c"], 400)), epochs=1)
    recalls = {"test/recall_a": 0.9, "test/recall_b": float("nan"), "test/recall_c": 0.2}
    text = as_text(report.outcome(dataclasses.replace(result, metrics=result.metrics | recalls)))
    assert "recall      by class, the lowest first: c 0.200, a 0.900; not in the test: b" in text


def test_of_many_classes_the_lowest_recalls_are_shown_and_the_others_counted() -> None:
    result = trained(noise(np.resize(list("abcde"), 400)), epochs=1)
    recalls = {f"test/recall_{name}": value / 10 for value, name in enumerate("edcba")}
    text = as_text(report.outcome(dataclasses.replace(result, metrics=result.metrics | recalls)))
    assert "recall      by class, the lowest first: e 0.000, d 0.100, c 0.200, and 2 more" in text


def test_an_epoch_that_nothing_chose_is_not_said_to_be_the_best_by_a_metric() -> None:
    result = trained(noise(np.resize(["a", "b", "c"], 400)), epochs=1)
    assert "best epoch  1 of 1, by val/loss" in as_text(report.outcome(result))
    broken = dataclasses.replace(result, metrics=result.metrics | {"val/loss": float("nan")})
    assert "best epoch  1 of 1, the last one: val/loss was never a finite number" in as_text(report.outcome(broken))


def test_values_that_a_line_explains_are_no_better_than_ridge_regression() -> None:
    frame = noise(0.0)
    frame["y"] = 3 * frame["a"] - frame["b"] + 0.1 * RANDOM.normal(size=400)
    result = trained(frame, epochs=1)
    assert shown(result)[0].startswith("No better than ridge regression: test/r2 ")
    assert "the training mean has" in shown(result)[0]


def test_what_no_line_explains_is_better_than_both() -> None:
    frame = noise("")
    frame["y"] = np.where(frame["a"] * frame["b"] > 0, "same", "other")
    result = trained(frame, epochs=60, model={"kind": "mlp", "hidden": 64, "layers": 2})
    assert shown(result)[0].startswith("Better than the majority class and logistic regression: test/accuracy ")


def test_the_run_records_what_the_first_line_says() -> None:
    result = trained(noise(RANDOM.choice(["yes", "no"], 400)), epochs=1)
    assert result.run_id is not None
    stored = stored_runs.find(result.run_id)
    found = baselines.standing_of(stored.tags, stored.metrics)
    assert found is not None
    assert found.sentence == shown(result)[0]
    assert stored.metrics["quick_baseline/test/f1"] == result.quick_baseline["test/f1"]


def test_a_quick_baseline_that_fails_is_said_and_the_run_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("singular")

    monkeypatch.setattr(quick_baseline, "measure", fail)
    result = trained(noise(RANDOM.choice(["yes", "no"], 400)), epochs=1)
    assert result.run_id is not None
    assert stored_runs.find(result.run_id).status == "FINISHED"
    assert "incomplete  without a quick baseline: ValueError: singular" in shown(result)
    assert "majority class" in shown(result)[0]


def test_a_quick_baseline_that_is_skipped_is_said() -> None:
    np.savez("wide.npz", x=RANDOM.normal(size=(60, 4_001)).astype(np.float32), y=RANDOM.integers(2, size=60))
    data = {"kind": "arrays", "path": "wide.npz", "batch_size": 8}
    result = training.run(
        from_sections("wide", "", {"data": data, "model": {"kind": "linear"}, "trainer": {"max_epochs": 1}})
    )
    assert any("no logistic regression: 4,001 inputs and 2 classes take longer" in line for line in shown(result))


def test_a_run_fits_a_screen_of_80_columns_and_24_lines_with_its_question_and_the_prompt() -> None:
    result = training.run(load("linear", ["trainer.max_epochs=2"]))
    console = SafeConsole(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    console.tell(report.summary(result))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert {len(line) for line in lines} <= set(range(81)), max(lines, key=len)
    assert len(lines) <= 22
    text = "\n".join(lines)
    needed = (
        "test/accuracy",
        "majority class",
        "a single seed is no evidence yet",
        str(result.run_id),
        "make dashboard",
    )
    assert all(each in text for each in needed), text


def test_the_files_of_a_run_are_where_it_says() -> None:
    result = training.run(load("linear", ["trainer.max_epochs=1"]))
    shown = re.search(r"^files +(.*)$", as_text(report.outcome(result)), re.MULTILINE)
    assert shown
    assert (Path(shown[1]) / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.parametrize(
    ("overrides", "command"),
    [
        (["optimizer.lr=0.1"], 'make experiment NAME=diabetes ARGS="optimizer.lr=0.1 trainer.max_epochs=1 seed=1"'),
        (
            ['freeze=["linears.0.*"]'],
            """.venv/bin/lab run diabetes 'freeze=["linears.0.*"]' trainer.max_epochs=1 seed=1""",
        ),
    ],
)
def test_the_next_command_is_one_that_a_shell_takes(overrides: list[str], command: str) -> None:
    result = training.run(load("diabetes", [*overrides, "trainer.max_epochs=1"]))
    assert f"next        {command}" in as_text(report.summary(result))
