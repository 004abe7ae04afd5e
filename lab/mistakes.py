"""Mistakes that people make, for comparisons that show what they cost."""

from torch.optim import AdamW


class ForgetfulAdamW(AdamW):
    """AdamW in a training loop without `optimizer.zero_grad()`: gradients add up over all steps."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget it."""
