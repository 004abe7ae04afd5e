from pathlib import Path

import pytest
import torch

from lab.config.experiment import SOURCES, Source, load
from lab.errors import LabError
from lab.tracking.writing.outbox import Outbox
from lab.training.building import build
from lab.training.run import open_session

pytestmark = pytest.mark.usefixtures("empty_workplace")


def refusal(name: str, *overrides: str) -> str:
    with pytest.raises(LabError) as caught:
        open_session(build(load(name, overrides)), Outbox().tracker())
    return str(caught.value)


def own(workplace: Path, module: str, body: str, arguments: str = "in_features: int, out_features: int") -> str:
    (workplace / f"{module}.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        f"    def __init__(self, {arguments}):\n"
        "        super().__init__()\n"
        "        self.first = nn.Linear(40, 7)\n"
        f"    def forward(self, x):\n        return {body}\n"
    )
    return f"model={{kind: '{module}:Net'}}"


def test_a_model_for_images_on_sequences_says_which_shapes_meet_and_which_kinds_fit() -> None:
    message = refusal("lstm", "model={kind: conv2d}")
    assert message.startswith("model.kind: conv2d takes (N, C, H, W), but mnist1d gives (N, 1, 40); kinds that")
    assert "transformer" in message
    assert "conv2d" not in message.partition("kinds that take it")[2]


def test_a_model_for_sequences_on_a_table_is_refused() -> None:
    assert "lstm takes (N, C, L), but diabetes gives (N, 10)" in refusal("diabetes", "model={kind: lstm}")


def test_a_constructor_that_asks_for_what_the_data_has_not_is_refused(empty_workplace: Path) -> None:
    override = own(empty_workplace, "needs_length", "x", "length: int")
    assert "requires `length`, which diabetes with (N, 10) does not have" in refusal("diabetes", override)


def test_a_shape_error_names_the_layer_and_what_came_in(empty_workplace: Path) -> None:
    message = refusal("lstm", own(empty_workplace, "wrong_inside", "self.first(x[:, :, :39])"))
    assert "layer first, Linear(in_features=40, out_features=7, bias=True), got (N, 1, 39)" in message


def test_a_wrong_output_shape_is_refused(empty_workplace: Path) -> None:
    message = refusal("lstm", own(empty_workplace, "wrong_output", "self.first(x.flatten(1))"))
    assert message.endswith("must return (N, 10), but returns (N, 7)")


def test_each_fold_is_tested_on_other_samples_and_says_so() -> None:
    whole, first, second = (build(load("digits", fold)).data for fold in ([], ["fold=1/5"], ["fold=2/5", "seed=3"]))
    assert not {*first.split_indices["test"]} & {*second.split_indices["test"]}
    assert whole.split_fingerprint() != first.split_fingerprint()
    assert [len(data.split_indices["test"]) for data in (whole, first, second)] == [359, 360, 360]
    assert ("fold", "1/5: 360 of 1,797 samples are tested; data.test_fraction does not count") in first.notes
    (supplied,) = build(load("lstm", ["fold=1/4"])).data.notes
    assert supplied[1].endswith("; the 1,000 of the supplied test set are in no fold")


def test_data_that_splits_itself_has_no_folds() -> None:
    assert refusal("sunspots", "fold=1/5").startswith("fold: sunspots splits its data itself and so has no folds;")


def test_the_same_seed_gives_the_same_weights() -> None:
    one, same, other = (build(load("mlp", [f"seed={seed}"])).module for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer={kind: sgd, nesterov: true}", "optimizer.nesterov needs optimizer.momentum above 0"),
        (
            "optimizer={kind: torch.optim.Adagrad, lr: -1.0}",
            "optimizer: torch.optim.Adagrad cannot be built: Invalid lear",
        ),
        ("early_stopping.monitor=val/acc", "no such metric 'val/acc'; did you mean val/accuracy or val/ece?"),
        ("trainer.precision=16-mixed", "16-mixed needs a GPU"),
        ("trainer.precision=b16", "trainer: Precision 'b16' is invalid"),
        ("trainer.accelerator=quantum", "trainer: You selected an invalid accelerator name"),
        ("data.val_fraction=0.99999", "training samples"),
    ],
)
def test_what_only_building_can_find_is_said_before_the_run(override: str, message: str) -> None:
    if "16-mixed needs" in message and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert message in refusal("lstm", override)


class TestSeeds:
    """Each source of chance has the seed of the experiment, or one of its own."""

    @pytest.mark.parametrize("source", SOURCES)
    def test_a_seed_of_its_own_changes_one_source_alone(self, source: Source) -> None:
        usual, changed = (chances(f"seeds.{source}={seed}") for seed in (0, 1))
        assert {name for name in usual if usual[name] != changed[name]} == {source}

    def test_the_seed_changes_all(self) -> None:
        usual, changed = (chances(f"seed={seed}") for seed in (0, 1))
        assert all(usual[name] != changed[name] for name in usual)

    def test_an_unknown_source_is_refused(self) -> None:
        with pytest.raises(LabError, match=r"seeds.inti: no such setting; did you mean seeds.init"):
            load("digits", ["seeds.inti=3"])


def chances(*overrides: str) -> dict[Source, object]:
    """What each source of chance has drawn."""
    built = build(load("digits", ["model.dropout=0.5", *overrides]))
    order = built.data.train_dataloader().sampler
    return {
        "split": built.data.split_fingerprint(),
        "init": [float(weights.sum()) for weights in built.module.architecture.state_dict().values()],
        "order": order.indices().tolist()[:20],
        "dropout": built.module.seed,
    }
