"""Notes on what can be trained but is most likely a mistake: each is a (subject, sentence) for the user."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lab.architectures.members import networks_of
from lab.data.loaders import Batch
from lab.training.building import Built

Note = tuple[str, str]

UNIT_SUM = 1e-4  # how near to 1 the outputs of a softmax add up
SAME_LOSS = 1e-6  # relative difference below which two losses are the same; float32 has 7 digits
SHOWN = 3  # names in a list
FEW = 3  # samples that are evaluated by themselves
ROUNDING = 0.02  # share of the largest output, also in bfloat16
WIDE = 100.0  # deviation of weights with which logits of any network leave 0 to 1


def of_batch(built: Built, outputs: Tensor, batch: Batch, loss: Tensor) -> list[Note]:
    """Notes on the outputs and the loss of a batch, before the backward pass."""
    return [
        *_of_outputs(built, outputs, batch),
        *_of_loss(built, outputs, batch, loss),
        *_of_unknown_tensors(built, loss),
        *_of_metrics(built),
        *_of_inputs(batch[0]),
        *_of_samples(built, batch),
    ]


def _of_inputs(x: Tensor) -> list[Note]:
    """Samples that are all the same, from which nothing can be told."""
    if len(x) > 1 and bool((x.nan_to_num() == x[:1].nan_to_num()).all()):
        return [("data", f"all {len(x)} samples of the first batch are the same")]
    return []


@torch.no_grad()
def _of_samples(built: Built, batch: Batch) -> list[Note]:
    """A network whose evaluation of a sample depends on what else is in its batch: predictions then do, too."""
    network, few = built.task_module.architecture, batch[0][:FEW]
    modes = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    try:
        together, alone = network(batch[0])[:FEW], network(few)
        # Where the same samples differ, too, the network draws numbers or counts its calls.
        depends = _differ(together, alone) and not _differ(together, network(batch[0])[:FEW])
    finally:
        for layer, mode in modes:
            layer.training = mode
    if not depends or len(batch[0]) == len(few):
        return []
    kind = built.experiment.part("model").kind
    return [("model", f"{kind}: outputs of a sample depend on the other samples of its batch, in evaluation too")]


def _differ(one: Tensor, other: Tensor) -> bool:
    """Whether outputs differ by more than the rounding of sums in another order."""
    return float((one - other).abs().max()) > ROUNDING * max(float(one.abs().max()), 1e-12)


def _of_metrics(built: Built) -> list[Note]:
    """Metrics of one's own that take no weights, where samples have such."""
    own = built.task_module.own_metrics() if built.data.weighted else {}
    without = [name for name, metric in own.items() if not getattr(metric, "takes_weight", True)]
    return [("metrics", f"{_names(without)}: update() takes no `weight`: every sample counts alike")] if without else []


def of_metric(name: str, first: float, second: float) -> list[Note]:
    """Notes on a metric of one's own that measured the same batch twice."""
    if math.isnan(first):
        return [("metrics", f"{name} is NaN for the first batch")]
    if first != second:
        told = f"{name} is {first:.4g}, and then {second:.4g} for the same batch"
        return [("metrics", f"{told}: reset() does not clear what it collects; declare that by add_state")]
    return []


def of_step(built: Built, optimizer: Optimizer, changed: bool) -> list[Note]:
    """Notes on the gradients, and on the first steps of the optimizer, which have changed the weights or not."""
    experiment, network = built.experiment, built.task_module.architecture
    return [
        *_of_gradients(built, network),
        *_of_optimizer(experiment.part("optimizer").kind, network, optimizer, changed),
    ]


def _of_outputs(built: Built, outputs: Tensor, batch: Batch) -> list[Note]:
    """Outputs that are probabilities, or logits, although the loss takes the other."""
    loss, values = built.task_module.loss, outputs.detach().float()
    between = _are_between(values) and _always_between(networks_of(built.task_module.architecture)[0], batch[0])
    if isinstance(loss, nn.CrossEntropyLoss) and between:
        perfect = nn.functional.cross_entropy(torch.eye(outputs.shape[1]), torch.arange(outputs.shape[1]))
        costs = f"a perfect prediction still costs {float(perfect):.2f}"
        if _sums_to_one(values):
            return [("model", f"its outputs add up to 1; after softmax {costs}")]
        return [("model", f"its outputs lie between 0 and 1; after a sigmoid {costs}")]
    if isinstance(loss, nn.BCEWithLogitsLoss) and between:
        costs = f"{math.log1p(math.exp(-1)):.3f} for the second class and {math.log(2):.3f} for the first"
        return [("model", f"its outputs lie between 0 and 1; after a sigmoid a perfect prediction still costs {costs}")]
    if isinstance(loss, nn.NLLLoss) and not _sums_to_one(values.exp()):
        return [("loss", "NLLLoss takes log-probabilities, which the outputs are not; use cross_entropy")]
    return []


def _are_between(values: Tensor) -> bool:
    return bool((values >= 0).all() and (values <= 1).all())


@torch.no_grad()
def _always_between(network: nn.Module, x: Tensor) -> bool:
    """Whether the outputs lie between 0 and 1 for other weights too: the first logits of a few samples may, by chance.

    The weights are drawn by a generator of their own, so that nothing else in the training is.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = {name: torch.randn(w.shape, generator=generator) * WIDE for name, w in network.named_parameters()}
    weights = {name: value.to(x.device) for name, value in drawn.items()}
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    with torch.random.fork_rng(devices=[]):
        return _are_between(torch.func.functional_call(network, weights | buffers, (x,)).float())


def _sums_to_one(values: Tensor) -> bool:
    return bool(((values.sum(1) - 1).abs() < UNIT_SUM).all())


def _of_loss(built: Built, outputs: Tensor, batch: Batch, loss: Tensor) -> list[Note]:
    """A negative loss, one without a slope, and one that does not compare each output with its own target."""
    kind, notes = built.experiment.part("loss").kind, []
    if float(loss.detach()) < 0:
        notes.append(
            ("loss", f"{kind} is negative, {float(loss.detach()):.3g} for the first batch, and is made smaller still")
        )
    slope = torch.autograd.grad(loss, outputs, retain_graph=True, allow_unused=True)[0]
    if slope is None or not bool(slope.any()):
        notes.append(("loss", f"the gradient of {kind} is 0 for every output of the first batch"))
    elif _ignores_order(built, outputs, batch):
        shapes = f"outputs {tuple(outputs.shape)}, targets {tuple(built.task_module.loss_target(batch).shape)}"
        notes.append(
            ("loss", f"{kind} does not change when the targets are shuffled ({shapes}): check its broadcasting")
        )
    return notes


@torch.no_grad()
def _ignores_order(built: Built, outputs: Tensor, batch: Batch) -> bool:
    """Whether the loss stays the same when every output gets the target of another sample.

    (N,) against (N, 1) broadcasts to N × N differences, whose mean no order of the targets changes.
    """
    target = built.task_module.loss_target(batch)
    others = target.roll(1, 0)
    if len(target) < 3 or bool((target == others).all()):
        return False
    # Other outputs than the network's own, which may be equal for all samples.
    made = outputs.detach() + torch.randn_like(outputs)
    try:
        own, other = (float(built.task_module.loss(made, each)) for each in (target, others))
    except Exception:  # a loss that takes probabilities, for one
        return False
    return math.isclose(own, other, rel_tol=SAME_LOSS)


def _of_gradients(built: Built, network: nn.Module) -> list[Note]:
    """Parameters that the network itself freezes, or that got no gradient in the backward pass."""
    kind, named, freezing = (
        built.experiment.part("model").kind,
        dict(network.named_parameters()),
        built.fine_tuning.freezing,
    )
    by_setting = freezing.frozen.parameters if freezing is not None else ()
    frozen = [
        name
        for name, parameter in named.items()
        if not parameter.requires_grad and f"architecture.{name}" not in by_setting
    ]
    without = [name for name, parameter in named.items() if parameter.requires_grad and parameter.grad is None]
    notes = []
    if frozen:
        count = sum(named[name].numel() for name in frozen)
        notes.append(("model", f"{kind}: {_names(frozen)} require no gradient: {count:,} parameters stay as they are"))
    if without:
        notes.append(("model", f"{kind}: {_names(without)} got no gradient from the first batch"))
    return notes


def _of_unknown_tensors(built: Built, loss: Tensor) -> list[Note]:
    """Tensors that a loss depends on and that are no parameters: layers in a Python list, or made in each pass."""
    known = {id(parameter) for parameter in built.task_module.parameters()}
    unknown = [tensor for tensor in _leaves(loss) if id(tensor) not in known]
    if not unknown:
        return []
    shapes = _names([str(tuple(tensor.shape)) for tensor in unknown])
    kind = built.experiment.part("model").kind
    sentence = f"{kind}: tensors {shapes} are no parameters of the network and are not trained: layers in a plain list?"
    return [("model", f"{sentence} Use nn.ModuleList")]


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """The tensors to which gradients go from a loss."""
    seen, waiting = set(), [loss.grad_fn]
    while waiting:
        function = waiting.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        if (leaf := getattr(function, "variable", None)) is not None:
            yield leaf
        waiting += [following for following, _ in function.next_functions]


def _of_optimizer(kind: str, network: nn.Module, optimizer: Optimizer, changed: bool) -> list[Note]:
    """Parameters that the optimizer does not have, a rate of 0, and steps uphill or without effect."""
    groups = optimizer.param_groups
    held = {id(parameter) for group in groups for parameter in group["params"]}
    left_out = [name for name, parameter in network.named_parameters() if id(parameter) not in held]
    notes = []
    if left_out:
        notes.append(("optimizer", f"{kind} does not update {_names(left_out)}"))
    if any(group.get("maximize") for group in groups):
        notes.append(("optimizer", f"{kind} maximizes the loss (maximize: true)"))
    if not changed:
        zero = all(float(group["lr"]) == 0 for group in groups if "lr" in group)
        why = "the learning rate is 0" if zero else f"{kind}.step() has no effect"
        notes.append(("optimizer", f"no weight changed in the first steps: {why}"))
    return notes


def gradient_norms(network: nn.Module) -> Mapping[str, float | None]:
    """The norm of each parameter's gradient, by the parameter's name; None for one that got none."""
    return {
        name: None if parameter.grad is None else float(parameter.grad.norm())
        for name, parameter in network.named_parameters()
    }


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
