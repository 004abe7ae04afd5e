"""Loading weights into a network as far as their names and shapes fit, and saying what was left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from lab.errors import LabError, did_you_mean
from lab.weights.files import Weights

WRAPPERS = ("architecture.", "model.", "module.", "_orig_mod.")  # of the lab, a LightningModule, DDP, torch.compile
SHOWN = 6  # names in a list
MOST_NAMES = 12  # where one has to be chosen


@dataclass(frozen=True)
class Loaded:
    """The tensors that were loaded from `source`, and those that were not.

    What the network has and the file has not is `missing`, the reverse `unexpected`; `other_shape` has both shapes.
    """

    source: str
    loaded: Sequence[str]
    missing: Sequence[str] = ()
    unexpected: Sequence[str] = ()
    other_shape: Sequence[str] = ()

    def __str__(self) -> str:
        """The same in words."""
        total = len(self.loaded) + len(self.missing) + len(self.other_shape)
        left = {
            "left new, of another shape": self.other_shape,
            "left new, not in it": self.missing,
            "not used": self.unexpected,
        }
        rest = [f"{what}: {shown(names)}" for what, names in left.items() if names]
        return "; ".join([f"{len(self.loaded)} of {total} tensors are those of {self.source}", *rest])


def load(network: nn.Module, weights: Weights, source: str) -> Loaded:
    """Load the tensors that fit a network by name and shape; raises LabError where none does.

    Names count without the wrappers in front: `model.layers.0.weight` is `layers.0.weight`.
    """
    own = {plain: name for name, plain in plain_names(network.state_dict()).items()}
    given = {plain: weights[name] for name, plain in plain_names(weights).items()}
    shapes = {plain: tuple(network.state_dict()[name].shape) for plain, name in own.items()}
    fitting = [plain for plain in own if plain in given and tuple(given[plain].shape) == shapes[plain]]
    other = [plain for plain in own if plain in given and plain not in fitting]
    differing = [f"{plain} {tuple(given[plain].shape)} for {shapes[plain]}" for plain in other]
    if not fitting:
        raise LabError(
            f"{source}: none of its {len(weights)} tensors fits the network: it has {shown([*given], 3)}; the network "
            f"{shown(differing or [*own], 3)}"
        )
    network.load_state_dict({own[plain]: given[plain] for plain in fitting}, strict=False)
    missing = [plain for plain in own if plain not in given]
    unexpected = [plain for plain in given if plain not in own]
    return Loaded(source, fitting, missing, unexpected, differing)


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Each name to itself without wrappers in front; unchanged where two would become the same."""
    plain = {name: _plain(name) for name in names}
    counts = Counter(plain.values())
    return {name: short if counts[short] == 1 else name for name, short in plain.items()}


def _plain(name: str) -> str:
    for wrapper in WRAPPERS:
        if name.startswith(wrapper):
            return _plain(name.removeprefix(wrapper))
    return name


def shown(names: Sequence[str], most: int = SHOWN) -> str:
    """Names as a list, shortened."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def none_matches(pattern: str, names: Sequence[str]) -> str:
    """The end of a message on a pattern that matches no name: which there are, and patterns that are similar."""
    names = [*dict.fromkeys(names)]
    layers = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    near = did_you_mean(pattern, [*names, *(f"{layer}.*" for layer in layers if not layer[-1].isdigit())])
    hint = f"; {near}" if near.startswith("did") else ""
    return f"there are {shown(names, MOST_NAMES)}{hint}"
