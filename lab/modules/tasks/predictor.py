"""What a user gets of a trained network: predictions for raw inputs."""

from torch import Tensor, nn

from lab.data.preparation import Scale


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


def predict_with(module: nn.Module, x: Tensor) -> Tensor:
    """The outputs (N, ...) of a LightningModule's `predict_step` for inputs (N, ...), by default those of `forward`.

    Raises TypeError where they are anything else.
    """
    outputs = module.predict_step(x, 0)  # type: ignore[operator]
    if not isinstance(outputs, Tensor):
        raise TypeError(f"predict_step (by default forward) returns {type(outputs).__name__}, not a tensor (N, ...)")
    if outputs.shape[:1] != x.shape[:1]:
        raise TypeError(f"predict_step (by default forward) returns {tuple(outputs.shape)} for {len(x)} samples")
    return outputs


class OwnPredictor(nn.Module):
    """Standardise the input, let a user's LightningModule predict, flatten its outputs to (N, K).

    `output` is a layer that follows, where the module gives what the task's own networks give.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, input_scale: Scale, output: nn.Module | None):
        super().__init__()
        self.register_buffer("mean", input_scale.mean)
        self.register_buffer("std", input_scale.std)
        self.module = module
        self.output = output or nn.Flatten()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for raw inputs."""
        outputs = predict_with(self.module, (x - self.mean) / self.std)
        return self.output(outputs if outputs.ndim > 1 else outputs.unsqueeze(1))
