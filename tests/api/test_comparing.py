"""`lab.compare`: the comparison of the command, from a file or from arms in Python."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab.comparisons import comparison
from lab.tracking import store

ARMS = {"slow": {"optimizer.lr": 1e-5}, "fast": {"optimizer": {"lr": np.float32(0.015625)}}}


def test_a_comparison_in_python(tiny: str) -> None:
    result = lab.compare("rates", base=tiny, arms=ARMS, seeds=range(3), metric="loss", margin=0.01, progress=False)
    check_verdict(result)
    check_table(result)
    check_seeds(result)
    check_plan(tiny)


def check_verdict(result: Any) -> None:
    verdict = result.verdicts["fast"]
    assert (verdict.state, verdict.n) == ("better", 3)
    assert result.sentences[0].startswith("fast is better than slow by ")
    assert result.sentences[0] in repr(result)
    assert result.run_id in result._repr_html_()


def check_table(result: Any) -> None:
    table = result.table
    assert list(table.index) == ["slow", "fast"]
    assert list(table["verdict"]) == ["control", "better"]
    assert list(table["seeds"]) == [3, 3]
    assert table.loc["fast", "difference"] == pytest.approx(table.loc["fast", "mean"] - table.loc["slow", "mean"])
    assert table.loc["fast", "low"] < table.loc["fast", "difference"] < table.loc["fast", "high"] < 0
    assert math.isnan(table.loc["slow", "difference"])


def check_seeds(result: Any) -> None:
    replicates = lab.runs(parts=True, filter="tags.`lab.kind` = 'replicate'")
    assert sorted(replicates["seed"]) == [0, 0, 1, 1, 2, 2]
    assert set(replicates["experiment"]) == {"tiny"}
    assert set(replicates["name"]) == {f"{arm}, seed {seed}" for arm in ARMS for seed in range(3)}
    content = json.loads(Path(store.client().download_artifacts(result.run_id, "comparison.json")).read_text())
    assert list(content["scores"]["fast"]) == ["0", "1", "2"]
    assert [row["seed"] for row in content["narrowing"]["fast"]] == [0, 1, 2]


def check_plan(tiny: str) -> None:
    """The plan is that of the first call."""
    with pytest.raises(lab.LabError, match=r"margin: this comparison began with 0\.01"):
        lab.compare("rates", base=tiny, arms=ARMS, metric="loss", margin=0.5, seeds=range(3))


def test_a_comparison_of_a_file_is_that_of_the_command(tiny: str, workplace: Path) -> None:
    (workplace / "experiments" / "comparisons" / "mine.yaml").write_text(
        "base: tiny\narms:\n  slow: {optimizer.lr: 1e-5}\n  fast: {optimizer.lr: 0.01}\nseeds: 3..3\n"
    )
    result = lab.compare("mine", {"trainer": {"max_epochs": 1}}, progress=False)
    of_command = comparison.load("mine", ["trainer.max_epochs=1"])
    (scores,) = (store.root() / "comparisons").iterdir()
    assert scores.name == f"mine-{of_command.fingerprint()}.json"  # so that the command continues it
    assert result.findings.design.rule.horizon == 3


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ({"name": "activatons"}, ["no comparison 'activatons' in experiments/comparisons/; did you mean activations?"]),
        ({}, ["compare: name a file in experiments/comparisons/, or give base and arms"]),
        (
            {"name": "activations", "metric": "loss", "margin": 0.0},
            ["metric: activations is a comparison file, which says it itself", "margin: activations is a comparison"],
        ),
        ({"base": "mlp"}, ["compare: give both, such as base="]),
        ({"base": "mpl", "arms": ARMS}, ["no experiment 'mpl' in experiments/; did you mean mlp?"]),
        ({"base": "mlp", "arms": {"a": {}}}, ["arms: a comparison needs at least two, the control first"]),
        ({"base": "mlp", "arms": {"a": {}, "b": 3}}, ["arms.b: must be a mapping"]),
        ({"base": "mlp", "arms": {"a": {}, 2: {"seed": 3}}}, ["arms: a name must be text, not 2"]),
        ({"base": "mlp", "arms": {"a": {}, "b": {}}}, ["arms.b: has the same settings as a"]),
        (
            {"base": "mlp", "arms": {"a": {}, "b": {"model": {"hiden": 3}}}},
            ["arms.b: model.hiden: no such setting; did you mean model.hidden?"],
        ),
        ({"base": "digits", "arms": ARMS, "metric": "acuracy"}, ["metric: the runs have no 'acuracy'; did you mean"]),
        ({"base": "mlp", "arms": ARMS, "margin": -1}, ["margin: must be at least 0, not -1"]),
        ({"base": "mlp", "arms": ARMS, "workers": 0}, ["--workers: must be at least 1, not 0"]),
        ({"base": "mlp", "arms": ARMS, "workers": "2"}, ["workers: must be a whole number, not '2'"]),
        ({"base": "mlp", "arms": ARMS, "name": "../up"}, ["name: must be text that can be the name of a file"]),
        ({"base": "mlp", "arms": ARMS, "seeds": 2}, ["seeds: at least 3, not 2"]),
        ({"base": "mlp", "arms": ARMS, "seeds": "5-30"}, ["seeds: '5-30' is not a range"]),
        ({"base": "mlp", "arms": ARMS, "seeds": range(0, 9, 2)}, ["seeds: write minimum and maximum"]),
        ({"base": "mlp", "arms": ARMS, "seeds": range(-3, 3)}, ["seeds: write minimum and maximum"]),
        ({"base": "mlp", "arms": ARMS, "seeds": [1, 2, 3]}, ["seeds: write minimum and maximum"]),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(
    empty_workplace: Path, arguments: dict[str, Any], messages: list[str]
) -> None:
    with pytest.raises(lab.LabError) as raised:
        lab.compare(**arguments)
    assert len(raised.value.lines) == len(messages)
    assert all(line.startswith(message) for line, message in zip(raised.value.lines, messages, strict=True))
    assert not (empty_workplace / "mlruns").exists()
