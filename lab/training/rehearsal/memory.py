"""Memory that a training needs, estimated before it is used: the system ends a process that takes too much, unasked."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer

from lab.errors import LabError

# Weights, their gradients and the weights of the best epoch; most optimizers keep one or two more for each.
LEAST_COPIES = 3
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
GB = 1e9


def available(device: torch.device | None = None) -> float:
    """Bytes that this process can still take: free memory, or less where a container or `ulimit -v` limits it.

    On a GPU those that are free there.
    """
    if device is not None and device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    limits = [_free(), *(_number(Path(path)) for path in CGROUP_LIMITS)]
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    return min([*limits, *([address_space] if address_space != resource.RLIM_INFINITY else [])])


def _free() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # another system than Linux
        return float("inf")


def _number(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # there is no limit
        return float("inf")


@contextlib.contextmanager
def bounded_parameters(kind: str) -> Iterator[None]:
    """Raise LabError as soon as the parameters made in the block need more memory than there is.

    torch reserves the memory of a parameter before it is used, so that this comes in time.
    """
    most, used = available(), 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal used
        if parameter is None or isinstance(parameter, UninitializedParameter):
            return
        used += parameter.numel() * parameter.element_size()
        if LEAST_COPIES * used > most:
            raise LabError(
                f"model: {kind} is too large for this machine's memory: weights, gradients and best weights alone need "
                f"{LEAST_COPIES * used / GB:,.3g} GB or more, {most / GB:.3g} GB are free"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def of_tensors(tensors: Iterator[Tensor]) -> int:
    """Bytes in tensors; those that share their memory count once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def of_optimizer(optimizer: Optimizer) -> int:
    """Bytes in the state of an optimizer that has taken a step."""
    return of_tensors(value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value))


class Activations:
    """Counts the bytes that a forward pass in its block keeps for the backward pass, parameters left out."""

    def __init__(self, network: nn.Module):
        self._parameters = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
        self._kept: dict[int, Tensor] = {}

    def __enter__(self) -> "Activations":
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor)
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)

    def _keep(self, tensor: Tensor) -> Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in self._parameters:
            self._kept[address] = tensor
        return tensor

    def take(self) -> int:
        """The bytes; the tensors are released."""
        total = of_tensors(iter(self._kept.values()))
        self._kept.clear()
        return total
