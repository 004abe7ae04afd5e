"""Settings of the optimizer for single parts of a network."""

import pytest
import torch

from lab.config.experiment import load, parse
from lab.errors import LabError
from lab.studies.space import parse_space
from lab.training.building import build

pytestmark = pytest.mark.usefixtures("empty_workplace")
GROUPS = 'optimizer.groups={"head.*": {lr: 0.02}, "*.bias": {beta1: 0.8, weight_decay: 0.0}}'


def groups_of(*overrides: str) -> list[dict[str, object]]:
    module = build(load("conv2d", overrides)).task_module
    return module.make_optimizer(module).param_groups


def refusal(*overrides: str) -> str:
    with pytest.raises(LabError) as refused:
        build(load("conv2d", overrides))
    (line,) = refused.value.lines
    return line


def test_each_parameter_is_in_the_first_group_that_matches_it() -> None:
    rest, head, biases = groups_of(GROUPS)
    assert [len(group["params"]) for group in (rest, head, biases)] == [8, 2, 8]  # type: ignore[arg-type]
    assert [group["lr"] for group in (rest, head, biases)] == [0.01, 0.02, 0.01]
    assert [group["weight_decay"] for group in (rest, head, biases)] == [0.05, 0.05, 0.0]
    assert [group["betas"] for group in (rest, head, biases)] == [(0.9, 0.999), (0.9, 0.999), (0.8, 0.999)]


def test_a_group_may_have_all_parameters() -> None:
    (everything,) = groups_of('optimizer.groups={"*": {lr: 0.5}}')
    assert everything["lr"] == 0.5


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "step", "constant"])
def test_every_schedule_scales_each_group(schedule: str) -> None:
    module = build(load("conv2d", [GROUPS, f"scheduler.kind={schedule}"])).task_module
    optimizer = module.make_optimizer(module)
    made = module.make_scheduler(optimizer, 20)["scheduler"]
    for _ in range(3):
        optimizer.step()
        made.step()
    rest, head, _ = (group["lr"] for group in optimizer.param_groups)
    assert head == pytest.approx(2 * rest)


def test_one_setting_of_a_group_is_an_override_and_a_dimension_of_a_study() -> None:
    experiment = load("conv2d", [GROUPS, "optimizer.groups.head.*.lr=0.3", "optimizer.groups.features.0.*.lr=0.1"])
    assert experiment.part("optimizer").groups == {
        "head.*": {"lr": 0.3},
        "*.bias": {"beta1": 0.8, "weight_decay": 0.0},
        "features.0.*": {"lr": 0.1},
    }
    assert experiment.settings()["optimizer.groups.head.*.lr"] == 0.3
    assert parse("again", experiment.to_yaml()).settings() == experiment.settings()
    searched = load("conv2d", ['search={"optimizer.groups.head.*.lr": {low: 0.001, high: 0.1, log: true}}'])
    (dimension,) = parse_space(searched).dimensions
    assert dimension.name == "optimizer.groups.head.*.lr"
    wrong = load("conv2d", ['search={"optimizer.groups.head.*.lr": {low: -1.0, high: 0.1}}'])
    with pytest.raises(LabError, match=r"^search.optimizer.groups.head.\*.lr: must be greater than 0, not -1"):
        parse_space(wrong)


def test_without_groups_nothing_changes() -> None:
    assert not any("groups" in name for name in load("conv2d").settings())
    assert "groups" not in load("conv2d").to_yaml()


class OneRate(torch.optim.SGD):
    """An optimizer that keeps a setting for all parameters."""

    def __init__(self, params: object, lr: float = 0.1, warm: int = 3):
        super().__init__(params, lr)  # type: ignore[arg-type]
        self.warm = warm


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ('{"heads.*": {lr: 0.1}}', "optimizer.groups.heads.*: matches no parameter that is left; there are features."),
        (
            '{"*": {lr: 0.1}, "head.*": {lr: 0.2}}',
            "optimizer.groups.head.*: matches no parameter that is left; earlier groups have all that it matches",
        ),
        (
            '{"head.*": {lrr: 0.1}}',
            "optimizer.groups.head.*.lrr: no such setting; did you mean optimizer.groups.head.*.lr",
        ),
        ('{"head.*": {lr: -1.0}}', "optimizer.groups.head.*.lr: must be greater than 0, not -1"),
        ('{"head.*": 0.1}', "optimizer.groups: must map patterns of names to settings, such as "),
        ("[head]", "optimizer.groups: must map patterns of names to settings, such as "),
    ],
)
def test_a_group_that_cannot_be_honoured_is_refused(groups: str, line: str) -> None:
    assert refusal(f"optimizer.groups={groups}").startswith(line)


def test_a_setting_that_an_optimizer_has_for_all_parameters_is_refused() -> None:
    kind = f"{__name__}:OneRate"
    assert refusal(f'optimizer={{kind: "{kind}", groups: {{"head.*": {{warm: 5}}}}}}') == (
        f"optimizer.groups.head.*.warm: {kind} has one warm for all parameters"
    )
