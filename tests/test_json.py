"""JSON files of the lab hold no NaN and no Infinity, which JSON does not have."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from shipped import PROJECT

from dashboard import verdicts
from lab import files
from lab.comparisons import page
from lab.comparisons.figures import figure
from lab.comparisons.findings import Findings
from lab.comparisons.scores import Plan, StoredScores
from lab.comparisons.statistics.design import Design, Rule
from lab.comparisons.statistics.verdicts import decide
from lab.cross_validation.scores import StoredFoldScores

# What else calls json.dumps: texts of settings, hashes, requests; journal and checkpoints, which need their NaN.
OTHERS = {
    "lab/api/experiments.py",
    "lab/comparisons/comparison.py",
    "lab/config/experiment.py",
    "lab/config/schema.py",
    "lab/data/encodings/outputs.py",  # texts only; copied into logged models
    "lab/cross_validation/run.py",
    "lab/documentation/reference.py",  # values of settings, as one writes them
    "lab/files.py",
    "lab/inference/serving.py",
    "lab/modules/class_weights.py",
    "lab/parallel/jobs.py",
    "lab/studies/optuna_internals.py",  # attributes of trials, as Optuna writes them
    "lab/studies/search.py",
    "lab/studies/space.py",
    "lab/tracking/reading/directions.py",
    "lab/tracking/claims.py",  # texts only, in a tag
    "lab/tracking/transfer/content.py",  # hashes
    "lab/tracking/transfer/formats/aim_export.py",  # run without the lab
    "lab/tracking/transfer/formats/runs.py",  # hashes
    "lab/tracking/writing/datasets.py",  # texts
    "lab/tracking/writing/journal.py",
    "lab/tracking/writing/sender.py",
    "lab/tracking/writing/tracker.py",
    "lab/training/devices/other.py",  # texts, to the process of the run
    "lab/training/devices/processes.py",  # settings, to the processes of other devices
    "lab/training/records.py",
}


def strict(text: str) -> Any:
    """The content, by the rules of JSON."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_numbers_that_are_not_finite_become_null_and_all_else_stays() -> None:
    content = {"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": 1, "d": True, "e": "NaN", "f": None}}
    expected = {"a": [1.5, None, [None, None]], "b": {"c": 1, "d": True, "e": "NaN", "f": None}}
    assert strict(files.to_json(content)) == expected
    read = files.numbers({"a": 1.0, "b": None})
    assert read["a"] == 1.0
    assert math.isnan(read["b"])


def test_every_file_is_written_by_that_function() -> None:
    found = {
        str(path.relative_to(PROJECT)) for path in (PROJECT / "lab").rglob("*.py") if "json.dump" in path.read_text()
    }
    assert found <= OTHERS, f"write JSON files by lab.files.to_json: {found - OTHERS}"


def test_the_files_of_a_comparison(workplace: Path) -> None:
    scores = StoredScores("c", Plan())
    for number, score in ((1, 0.6), (2, math.nan)):
        scores.add("a", number, 0.5, {"seconds": math.inf})
        scores.add("b", number, score, {"seconds": math.nan})
    strict(scores.path.read_text())
    again = StoredScores("c", Plan())
    assert again.arms == scores.arms
    assert math.isnan(again.extras["b"][1]["seconds"])
    design = Design("c", "", ("a", "b"), {"a": {}, "b": {}}, "val/accuracy", Rule(True, margin=0.0))
    unbounded = decide({"b": scores.pairs("b", "a")[:1]}, design.rule)
    assert math.isinf(unbounded["b"].high)
    content = strict(page.as_json(Findings(design, scores, unbounded)))
    assert content["verdicts"]["b"]["high"] is None
    assert content["narrowing"]["b"][0]["low"] is None
    assert verdicts.verdict_table({"run": content})["high"].isna().all()


def test_the_file_of_a_cross_validation(workplace: Path) -> None:
    scores = StoredFoldScores("c", 3)
    scores.add(1, {"test/loss": math.nan, "test/r2": 0.5})
    strict(scores.path.read_text())
    assert math.isnan(StoredFoldScores("c", 3).finished[1]["test/loss"])


@pytest.mark.parametrize("unknown", [None, math.inf, math.nan])
def test_a_bound_that_is_unknown_is_not_drawn(unknown: float | None) -> None:
    """None in files as they are now, infinite in those of earlier versions."""
    low = None if unknown is None else -unknown
    rows = [
        {"seed": 1, "difference": 0.1, "mean": 0.1, "low": low, "high": unknown},
        {"seed": 2, "difference": 0.2, "mean": 0.15, "low": 0.0, "high": 0.3},
    ]
    band = figure("arm", rows, "control", "val/accuracy", 0.0).data[0]
    assert list(band.x) == [2, 2]
    assert list(band.y) == [0.3, 0.0]
