"""What a caller may write for an experiment and for overrides."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab.api import experiments
from lab.config import experiment
from lab.errors import LabError

SMALL = {"data": {"kind": "digits"}, "model": {"kind": "mlp", "hidden": 8}}


@pytest.mark.parametrize(
    ("overrides", "texts"),
    [
        (None, ()),
        ({"optimizer.lr": 0.01, "seed": 3}, ("optimizer.lr=0.01", "seed=3")),
        ({"optimizer": {"lr": 1e-5, "kind": "sgd"}}, ("optimizer.lr=1e-05", "optimizer.kind=sgd")),
        ({"optimizer": {}}, ()),
        ({"early_stopping": None, "channels_last": True}, ("early_stopping=null", "channels_last=true")),
        ({"trainer.devices": [0, 1]}, ("trainer.devices=[0, 1]",)),
        ({"metrics": {"kappa": {"kind": "a:B"}}}, ('metrics.kappa={"kind": "a:B"}',)),
        ({"data.path": Path("a") / "b.csv", "data.target": "1"}, ("data.path=a/b.csv", 'data.target="1"')),
        ({"data.target": "größe # 1"}, ('data.target="größe # 1"',)),
        ({"optimizer.lr": np.float32(0.5), "model.hidden": np.int64(8)}, ("optimizer.lr=0.5", "model.hidden=8")),
        ({"optimizer.kind": torch.optim.Adagrad}, ("optimizer.kind=torch.optim.adagrad:Adagrad",)),
    ],
)
def test_overrides_are_those_of_the_command_line(overrides: Any, texts: tuple[str, ...]) -> None:
    assert experiments.as_texts(overrides) == texts


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.lr=1"], "overrides: must be a mapping such as"),
        ({1: 2}, "overrides: a name must be text, not 1"),
        ({"model.hidden": object()}, "overrides.model.hidden: must be a number, text, list or mapping, not object"),
        ({"optimizer.lr": 1, "optimizer": {"lr": 2}}, "overrides: optimizer.lr is given twice"),
        ({"seed": 1}, "seed: is given twice"),
    ],
)
def test_other_overrides_are_refused(overrides: Any, message: str) -> None:
    with pytest.raises(LabError, match=message):
        experiments.as_texts(overrides, seed=2)


@pytest.mark.usefixtures("empty_workplace")
class TestChosen:
    """The experiment of a name, a path and a mapping."""

    def test_a_name_and_a_path_load_the_file(self) -> None:
        named = experiments.chosen("lstm", {"optimizer": {"lr": 0.5}}, seed=4)
        assert named == experiment.load("lstm", ["optimizer.lr=0.5", "seed=4"])
        assert experiments.chosen(Path("experiments/lstm.yaml")) == experiment.load("lstm")
        assert experiments.chosen("experiments/lstm.yaml") == experiment.load("lstm")

    def test_a_mapping_is_as_the_file_would_be(self, empty_workplace: Path) -> None:
        (empty_workplace / "mine.yaml").write_text("data: {kind: digits}\nmodel: {kind: mlp, hidden: 8}\n")
        from_file = experiments.chosen("mine.yaml", seed=1)
        assert from_file.name == "mine"
        assert experiments.chosen(SMALL, seed=1, name="mine") == from_file
        assert experiments.chosen(SMALL).name == experiments.UNNAMED

    def test_the_name_is_that_of_the_runs(self) -> None:
        assert experiments.chosen("lstm", name="idea 1").name == "idea 1"
        for name in ("", "a/b", "..", ".hidden", 5, "x" * 201):
            with pytest.raises(LabError, match="name: must be text that can be the name of a file"):
                experiments.chosen("lstm", name=name)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("source", "overrides", "lines"),
        [
            ("lsmt", None, ["no experiment 'lsmt' in experiments/; did you mean lstm?"]),
            ("nowhere.yaml", None, ["nowhere.yaml: cannot be read: No such file or directory"]),
            ("lstm", {"optimizer.lrr": 1}, ["optimizer.lrr: no such setting; did you mean optimizer.lr?"]),
            (SMALL | {"dta": {}}, None, ["dta: no such setting; did you mean data?"]),
            (SMALL | {"model": {"kind": "mlp", "hiden": 8}}, None, ["model.hiden: no such setting; did you mean"]),
            ({"data": {"kind": "digits"}}, None, ["model: is required"]),
            (3, None, ["experiment: must be a name, a path or a mapping of sections, not int"]),
            (
                SMALL | {"model": {"kind": "__main__:Net"}},
                None,
                ["model.kind: Net needs a file of its own; write it to my_ideas.py, name my_ideas:Net"],
            ),
        ],
    )
    def test_errors_are_those_of_the_command_line(self, source: Any, overrides: Any, lines: list[str]) -> None:
        with pytest.raises(LabError) as raised:
            experiments.chosen(source, overrides)
        assert len(raised.value.lines) == len(lines)
        assert all(found.startswith(line) for found, line in zip(raised.value.lines, lines, strict=True))
