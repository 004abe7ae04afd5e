"""What a `kind:` may name: classes and functions that make what the section needs, and nothing else."""

from pathlib import Path

import pytest

from lab.cli import main
from lab.config import kinds
from lab.errors import LabError

OWN = """
from torch import nn
from torch.optim import Optimizer

class Net(nn.Module):
    pass

def made(width: int = 3) -> nn.Module: ...
def perhaps() -> "nn.Linear | None": ...
def scheduled(optimizer: Optimizer) -> dict[str, object]: ...
def unannotated(x: int): ...
"""


# Every class and function that a `kind:` could name, by the module that it was in before the modules were renamed.
OLD_PATHS = {
    ("data", "lab.data.base"): ["SampleDataModule"],
    ("data", "lab.data.table"): ["Table"],
    ("data", "lab.data.arrays"): ["Arrays"],
    ("data", "lab.data.images"): ["Images"],
    ("data", "lab.data.series"): ["Series"],
    ("data", "lab.data.series_module"): ["SeriesDataModule"],
    ("data", "lab.data.digits"): ["Digits"],
    ("data", "lab.data.breast_cancer"): ["BreastCancer"],
    ("data", "lab.data.diabetes"): ["Diabetes"],
    ("data", "lab.data.mnist1d"): ["MNIST1D"],
    ("data", "lab.data.sunspots"): ["Sunspots"],
    ("model", "lab.architectures.layers"): ["activation_layer", "norm_layer", "ChannelsLast"],
    ("model", "lab.architectures.embedded"): ["Embedded"],
    ("model", "lab.architectures.relative"): ["FromLastValue"],
    ("model", "lab.architectures.perceptron"): ["Linear", "MLP", "SequentialMLP", "WideAndDeep"],
    ("model", "lab.architectures.convolution"): ["Conv1dNet", "Conv2dNet"],
    ("model", "lab.architectures.recurrent"): ["LSTM", "GRU"],
    ("model", "lab.architectures.transformer"): ["TransformerEncoder"],
    ("model", "lab.architectures.causal_transformer"): ["CausalTransformer"],
    ("model", "lab.architectures.bag"): ["Bag"],
    ("model", "lab.architectures.textcnn"): ["TextCNN"],
    ("model", "lab.modules.classification"): ["ClassificationModule", "Probabilities"],
    ("model", "lab.modules.regression"): ["RegressionModule", "Unscale"],
    ("model", "lab.modules.forecasting"): ["ForecastingModule"],
    ("model", "lab.modules.predictor"): ["Predictor"],
    ("optimizer", "lab.optimizers"): ["sgd", "adam", "adamw", "rmsprop"],
    ("optimizer", "lab.mistakes"): ["ForgetfulAdamW"],
    ("scheduler", "lab.schedulers"): ["constant", "cosine", "onecycle", "step", "plateau"],
    ("loss", "lab.losses"): ["cross_entropy", "bce", "mse", "l1", "huber"],
    ("metrics", "lab.modules.classification"): ["SecondClassAUROC"],
    ("model", "lab.modules.tasks"): ["ClassificationModule", "Probabilities"],
    ("metrics", "lab.modules.class_metrics"): ["BalancedAccuracy", "CalibrationError", "Recall"],
    ("metrics", "lab.modules.metrics"): ["OwnMetric"],
    ("metrics", "lab.modules.value_metrics"): ["R2Score"],
    ("metrics", "lab.modules.own_metrics"): ["OwnMetric"],
    ("metrics", "lab.modules.scores"): ["SkillScore"],
}


@pytest.fixture
def ideas(empty_workplace: Path) -> str:
    (empty_workplace / "ideas_kinds.py").write_text(OWN)
    return "ideas_kinds"


@pytest.mark.parametrize(
    ("section", "name"), [("model", "Net"), ("model", "made"), ("model", "perhaps"), ("scheduler", "scheduled")]
)
def test_a_class_or_an_annotated_function_is_accepted(ideas: str, section: str, name: str) -> None:
    assert kinds.find(section, f"{ideas}:{name}").__name__ == name


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("model", "os:system"),
        ("data", "subprocess:Popen"),
        ("loss", "builtins:eval"),
        ("optimizer", "torch.nn:Linear"),
        ("model", "torch.hub:load"),
        ("model", "ideas_kinds:unannotated"),
        ("data", "ideas_kinds:Net"),
    ],
)
def test_other_callables_are_refused_before_they_are_called(ideas: str, section: str, kind: str) -> None:
    with pytest.raises(LabError, match=f"{section}.kind: {kind} is not called.*name a subclass of"):
        kinds.find(section, kind)


def test_show_names_the_modules_that_an_experiment_runs_code_of(
    empty_workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ideas = "ideas_shown"
    (empty_workplace / f"{ideas}.py").write_text(OWN)
    for arguments, said in (([], "# runs only code of the lab"), ([f"model.kind={ideas}:made"], "")):
        with pytest.raises(SystemExit):
            main.main(["show", "linear", *arguments])
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == (said or f"# model.kind runs code of {ideas} ({ideas}.py)")


@pytest.mark.parametrize(
    ("section", "module", "name"),
    [(section, module, name) for (section, module), names in OLD_PATHS.items() for name in names],
)
@pytest.mark.parametrize("separator", [":", "."])
def test_paths_from_before_modules_were_renamed_are_still_found(
    section: str, module: str, name: str, separator: str
) -> None:
    assert kinds.find(section, f"{module}{separator}{name}").__name__ == name


def test_every_renamed_module_is_tried_above() -> None:
    assert set(kinds.RENAMED_MODULES) <= {module for _, module in OLD_PATHS}


def test_the_code_of_a_renamed_module_is_that_of_the_new_one() -> None:
    kinds.find("optimizer", "lab.mistakes:ForgetfulAdamW")
    assert kinds.code_of("optimizer", "lab.mistakes:ForgetfulAdamW").startswith("lab.modules.optimizers (")
