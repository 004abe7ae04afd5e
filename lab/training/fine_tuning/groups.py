"""`optimizer.groups:` settings of the optimizer for the parameters whose names match a pattern."""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from lab.config.sections import Part
from lab.errors import LabError
from lab.training.fine_tuning.patterns import matches, names_for_patterns
from lab.weights.loading import none_matches

REST = ""


def optimizer_of(part: Part, network: nn.Module) -> Optimizer:
    """The optimizer of all parameters: those outside every group first, then group after group.

    A parameter belongs to the first group whose pattern matches its name; raises LabError for a group without any.
    """
    if not part.groups:
        made: Optimizer = part.build(params=network.parameters())
        if not hasattr(made, "param_groups"):
            raise LabError(f"optimizer: {part.kind} has no param_groups; call super().__init__(params, defaults) in it")
        return made
    members = _members(part, network)
    optimizer: Optimizer | None = None
    for pattern, parameters in members.items():
        group = _group(part, pattern, parameters)
        if optimizer is None:
            optimizer = group
        else:
            optimizer.add_param_group(group.param_groups[0])
    assert optimizer is not None, "a network without parameters matches no pattern"
    return optimizer


def _members(part: Part, network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Pattern to parameters, the rest first; without the rest where every parameter is in a group."""
    members: dict[str, list[nn.Parameter]] = {REST: [], **{pattern: [] for pattern in part.groups}}
    parameters = dict(network.named_parameters())
    names = names_for_patterns(network, parameters)
    for name, parameter in parameters.items():
        members[_pattern_of(part, name, names[name])].append(parameter)
    if empty := next((pattern for pattern in part.groups if not members[pattern]), None):
        taken = any(matches(empty, name, plain) for name, plain in names.items())
        why = "earlier groups have all that it matches" if taken else none_matches(empty, [*names.values()])
        raise LabError(f"optimizer.groups.{empty}: matches no parameter that is left; {why}")
    return {pattern: found for pattern, found in members.items() if found}


def _pattern_of(part: Part, name: str, plain: str) -> str:
    return next((pattern for pattern in part.groups if matches(pattern, name, plain)), REST)


def _group(part: Part, pattern: str, parameters: list[nn.Parameter]) -> Optimizer:
    """An optimizer of these parameters alone; raises LabError where it does not hold a setting for each group."""
    options: Any = part.groups.get(pattern, {})
    made: Optimizer = part.with_settings(options).build(params=parameters)
    if part.is_foreign and (lost := next((name for name in options if name not in made.param_groups[0]), None)):
        raise LabError(f"optimizer.groups.{pattern}.{lost}: {part.kind} has one {lost} for all parameters")
    return made
