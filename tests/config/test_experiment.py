import dataclasses
from pathlib import Path

import pytest
from shipped import SHIPPED

from lab.config import experiment
from lab.config.types import Fold
from lab.errors import LabError

pytestmark = pytest.mark.usefixtures("empty_workplace")


def errors(*overrides: str, name: str = "lstm") -> tuple[str, ...]:
    with pytest.raises(LabError) as caught:
        experiment.load(name, overrides)
    return caught.value.lines


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_experiment_has_a_question_and_is_restored_from_its_yaml(name: str) -> None:
    loaded = experiment.load(name)
    assert loaded.question
    assert experiment.parse(name, loaded.to_yaml()) == loaded


def test_overrides_use_the_dotted_names_of_the_settings() -> None:
    loaded = experiment.load("lstm", ["optimizer.lr=1e-3", "seed=3", "model.bidirectional=true"])
    settings = loaded.settings()
    assert (settings["optimizer.lr"], settings["seed"], settings["model.bidirectional"]) == (1e-3, 3, True)


def test_an_override_can_add_and_remove_a_section() -> None:
    assert experiment.load("lstm", ["early_stopping.patience=3"]).early_stopping == {
        "monitor": "val/loss",
        "patience": 3,
        "min_delta": 0.0,
    }
    assert experiment.load("diabetes", ["early_stopping=null"]).early_stopping is None


def test_an_experiment_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.load("lstm").seed = 4  # type: ignore[misc]


def test_seed_zero_is_a_seed() -> None:
    assert experiment.load("lstm", ["seed=0"]).settings()["seed"] == 0


def test_any_torch_optimizer_and_any_trainer_argument_can_be_named() -> None:
    loaded = experiment.load("mlp", ["optimizer={kind: torch.optim.Adagrad, lr: 0.1}", "trainer.max_time=00:00:05:00"])
    assert loaded.settings()["optimizer.lr_decay"] == 0
    assert loaded.trainer["max_time"] == "00:00:05:00"


def test_a_fold_is_a_setting_like_the_seed_and_absent_without_one() -> None:
    assert "fold" not in experiment.load("digits").settings()
    loaded = experiment.load("digits", ["fold=2/5"])
    assert loaded.settings()["fold"] == "2/5"
    assert experiment.parse("digits", loaded.to_yaml()).fold == "2/5"
    assert loaded.of_fold(Fold(3, 5)).overrides == ("fold=3/5",)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lrr=1", "optimizer.lrr: no such setting; did you mean optimizer.lr?"),
        ("fold=6/5", "fold: must be a fold and the number of folds, such as 2/5, not '6/5'"),
        ("fold=5", "fold: must be a fold and the number of folds, such as 2/5, not 5"),
        ("optimizer.lr=nan", "optimizer.lr: must be a number, not 'nan'"),
        ("optimizer.lr=.nan", "optimizer.lr: must be a finite number, not nan"),
        ("optimizer.lr=-1", "optimizer.lr: must be greater than 0, not -1"),
        ("optimizer.kind=adamm", "optimizer.kind: no such kind 'adamm'; did you mean adam or adamw?"),
        ("optimizer.kind=torch.optim.Adom", "optimizer.kind: torch.optim has no 'Adom'; did you mean Adam"),
        ("model.kind=my_ideas:Net", "model.kind: no module 'my_ideas'"),
        ("trainer.max_epochs=0", "trainer.max_epochs: must be at least 1, not 0"),
        ("trainer.max_epoch=5", "trainer.max_epoch: no such setting; did you mean trainer.max_epochs?"),
        ("trainer.logger=true", "trainer.logger: no such setting"),
        ("seed=1.5", "seed: must be a whole number, not 1.5"),
        ("seed=abc", "seed: must be a whole number, not 'abc'"),
        ("seed=-1", "seed: must be at least 0, not -1"),
        ("optimzer.lr=1", "optimzer: no such setting; did you mean optimizer?"),
        ("data.batch_size=0", "data.batch_size: must be at least 1, not 0"),
        ("optimizer=adam", "optimizer: must be a mapping, not 'adam'"),
        ("lr", "lr: write a setting and its value, such as optimizer.lr=0.01"),
        ("seed.x=1", "seed.x: no such setting"),
    ],
)
def test_an_error_is_one_line_with_the_setting_and_the_remedy(override: str, message: str) -> None:
    (line,) = errors(override)
    assert message in line


def test_several_errors_are_reported_at_once() -> None:
    assert len(errors("optimizer.lrr=1", "model.hidden=x", "trainer.max_epochs=0", "data.kind=mnist2d")) == 4


def test_another_kind_keeps_the_settings_that_it_has_and_drops_the_rest() -> None:
    settings = experiment.load("lstm", ["model.kind=conv1d", "model.channels=8"]).settings()
    assert (settings["model.dropout"], settings["model.channels"]) == (0.3, 8)
    assert "model.hidden" not in settings


def test_overrides_next_to_another_kind_must_be_its_settings() -> None:
    (line,) = errors("model.kind=conv1d", "model.hidden=3")
    assert line.startswith("model.hidden: no such setting")


def test_a_section_without_a_kind_lists_the_kinds() -> None:
    assert errors("model={hidden: 3}")[0].startswith("model.kind: is required; one of linear, mlp")


def test_an_unknown_experiment_suggests_similar_names() -> None:
    assert errors(name="lsmt") == ("no experiment 'lsmt' in experiments/; did you mean lstm?",)


@pytest.mark.parametrize("name", ["experiments/lstm.yml", "lstm.yaml"])
def test_a_path_suggests_the_name(name: str) -> None:
    assert errors(name=name) == (f"no experiment '{name}' in experiments/; did you mean lstm?",)


def test_a_folder_without_experiments_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert errors()[0].endswith(f"there is no experiments/ with experiments in {elsewhere}; change folder")


def test_a_setting_without_its_section_suggests_its_full_name() -> None:
    assert errors("lr=0.1", "max_epochs=3") == (
        "lr: no such setting; did you mean optimizer.lr?",
        "max_epochs: no such setting; did you mean trainer.max_epochs?",
    )


def test_a_required_argument_of_a_network_says_which_the_data_gives(empty_workplace: Path) -> None:
    (empty_workplace / "ideas_required.py").write_text(
        "from torch import nn\n\nclass Net(nn.Module):\n    def __init__(self, input_size): super().__init__()\n"
    )
    (line,) = errors("model.kind=ideas_required:Net")
    assert "model.input_size: is required; give it a value, or name the argument in_features" in line


def test_a_name_cannot_leave_the_folder(empty_workplace: Path) -> None:
    (empty_workplace / "outside.yaml").write_text("data: {kind: digits}")
    assert "no experiment '../outside'" in errors(name="../outside")[0]


def test_a_users_own_class_is_checked_by_its_own_signature(empty_workplace: Path) -> None:
    (empty_workplace / "ideas_a.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, in_features: int, out_features: int, width: int = 4):\n"
        "        super().__init__()\n"
    )
    assert experiment.load("linear", ["model.kind=ideas_a:Net"]).settings()["model.width"] == 4
    (line,) = errors("model.kind=ideas_a:Net", "model.widht=3", name="linear")
    assert "model.widht: no such setting; did you mean model.width?" in line


def test_a_users_file_that_cannot_be_imported_is_named(empty_workplace: Path) -> None:
    (empty_workplace / "ideas_b.py").write_text("1 / 0")
    assert "importing ideas_b failed: ZeroDivisionError" in errors("model.kind=ideas_b:Net", name="linear")[0]


def test_an_override_of_a_section_that_the_file_leaves_out_changes_its_default(empty_workplace: Path) -> None:
    (empty_workplace / "experiments" / "bare.yaml").write_text("data: {kind: digits}\nmodel: {kind: mlp}\n")
    loaded = experiment.load("bare", ["optimizer.lr=0.5"])
    assert (loaded.optimizer.kind, loaded.optimizer.settings["lr"]) == ("adamw", 0.5)
