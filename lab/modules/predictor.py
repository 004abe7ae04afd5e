"""A trained model as its users call it: raw inputs in, predictions in their own terms out."""

from torch import Tensor, nn

from lab.data.scaling import Scale


class Predictor(nn.Module):
    """Standardise the input, run the architecture, turn its outputs into probabilities or values.

    Shapes: raw inputs (N, ...) to probabilities (N, classes), or values (N, T) in the target's units.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: nn.Module, input_scale: Scale, output: nn.Module):
        super().__init__()
        self.register_buffer("mean", input_scale.mean)
        self.register_buffer("std", input_scale.std)
        self.architecture = architecture
        self.output = output
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for raw inputs."""
        return self.output(self.architecture((x - self.mean) / self.std))
