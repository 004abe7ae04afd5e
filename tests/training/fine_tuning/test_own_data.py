"""Fine-tuning on tables of one's own: other columns, other classes, and names that are misspelt."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.config.experiment import load
from lab.errors import LabError
from lab.training import run as training
from lab.training.building import build
from lab.weights import files

EXPERIMENT = """# ?
data: {{kind: table, path: {name}.csv, target: y, batch_size: 16}}
model: {{kind: mlp, hidden: 8, layers: 2}}
trainer: {{max_epochs: 1}}
"""


@pytest.fixture(autouse=True)
def tables(empty_workplace: Path) -> None:
    """One of six columns and four classes, and others to fine-tune on."""
    _write("big", "abcdef", ("north", "south", "east", "west"))
    _write("small", "abcd", ("red", "green", "blue"))
    _write("turned", "fedcba", ("north", "south", "east", "west"))
    _write("others", "abcdef", ("spring", "summer", "autumn", "winter"))


@pytest.fixture
def big() -> str:
    """The id of a run on the large table."""
    run_id = training.run(load("big")).run_id
    assert run_id is not None
    return run_id


def _write(name: str, columns: str, classes: tuple[str, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(120, len(columns)))
    frame = pd.DataFrame(x, columns=list(columns)).assign(y=np.resize(classes, 120))
    frame.to_csv(f"{name}.csv", index=False)
    Path(f"experiments/{name}.yaml").write_text(EXPERIMENT.format(name=name))


def notes(name: str, *overrides: str) -> list[tuple[str, str]]:
    return list(build(load(name, ["start_from=latest:big", *overrides])).fine_tuning.notes)


def test_other_columns_and_classes_leave_the_first_and_the_last_layer_new(big: str) -> None:
    ((subject, said),) = notes("small")
    assert subject == "start_from"
    assert said == (
        f"3 of 6 tensors are those of {big}; left new, of another shape: linears.0.weight (8, 6) for (8, 4), "
        "head.weight (4, 8) for (3, 8), head.bias (4,) for (3,)"
    )


def test_as_many_columns_or_classes_of_other_names_are_said_and_frozen_layers_that_stayed_new(big: str) -> None:
    assert len(notes("big")) == 1
    start = "weights fit by their shape alone:"
    assert notes("turned")[1:] == [("start_from", f"{start} the column 'f' stands where run {big[:8]} has 'a'")]
    assert notes("others")[1:] == [("start_from", f"{start} the class 'autumn' stands where run {big[:8]} has 'east'")]
    said = [text for subject, text in notes("small", 'freeze=["linears.*"]') if subject == "freeze"]
    assert said[1:] == ["frozen with random weights, since none were loaded: linears.0.weight"]
    assert len(notes("turned", 'freeze=["linears.*"]')) == 3


@pytest.mark.parametrize(
    ("override", "end"),
    [
        ('freeze=["linear.*"]', "head.bias; did you mean linears.*?"),
        ('freeze=["linears"]', "head.bias; did you mean linears.*?"),
        ('optimizer.groups={"haed.*": {lr: 0.1}}', "head.bias; did you mean head.*?"),
    ],
)
def test_a_misspelt_layer_gets_the_pattern_that_was_meant(override: str, end: str) -> None:
    with pytest.raises(LabError, match=r"matches no parameter") as refused:
        build(load("small", [override]))
    (line,) = refused.value.lines
    assert line.endswith(end)


@pytest.mark.parametrize("name", ["big.csv", "experiments/big.yaml"])
def test_a_file_of_text_is_no_pickled_model(name: str) -> None:
    with pytest.raises(LabError, match=f"^{name}: is no file of weights"):
        files.read(name)
