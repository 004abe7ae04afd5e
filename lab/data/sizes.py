"""What the data tells an architecture: the sizes of what goes in and of what must come out."""

from dataclasses import dataclass
from math import prod
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """The shape of one sample, without N, and the number of outputs; `classes` is 0 where there are none."""

    input_shape: tuple[int, ...]
    out_features: int
    classes: int = 0

    def supplied(self) -> dict[str, Any]:
        """The constructor arguments that an architecture gets if it asks for them.

        | name | what |
        |---|---|
        | in_features | values in one sample, all dimensions multiplied |
        | out_features | logits or values per sample: 1 logit for two classes |
        | classes | number of classes |
        | in_channels | C of (C, L) or (C, H, W) |
        | length | L of (C, L) |
        | image_size | (H, W) of (C, H, W) |
        """
        names: dict[str, Any] = {"in_features": prod(self.input_shape), "out_features": self.out_features}
        if self.classes:
            names["classes"] = self.classes
        if len(self.input_shape) > 1:
            names["in_channels"] = self.input_shape[0]
        if len(self.input_shape) == 2:
            names["length"] = self.input_shape[1]
        if len(self.input_shape) == 3:
            names["image_size"] = self.input_shape[1:]
        return names
