"""The LightningModule of language models: the next token at each position."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lab.data.loaders import Batch
from lab.modules.tasks.task import TaskModule


class LanguageModule(TaskModule):
    """Perplexity and accuracy of the next token, over all positions of all windows.

    Raw outputs are logits (N, V, L) of V tokens at L positions. The trivial baseline gives each token its share of the
    training text (`counts`, (V,)), with one added to each count.
    """

    trivial_name = "unigram"
    main_metric = "accuracy"

    def __init__(self, counts: Tensor, **task: Any):
        super().__init__(**task)
        self.counts = counts

    def output(self) -> nn.Module:
        """Logits to probabilities (N, V, L)."""
        return nn.Softmax(dim=1)

    def predictions(self, outputs: Tensor) -> Tensor:
        """The most probable token at each position, (N, L)."""
        return outputs.argmax(1)

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics."""
        return {"perplexity": Perplexity(), "accuracy": NextTokenAccuracy()}

    def target(self, batch: Batch) -> Tensor:
        """The next tokens, (N, L)."""
        return batch[1]

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The most probable and the true tokens, and what the model says of the true ones: nats (N, L)."""
        nats = nn.functional.cross_entropy(outputs.float(), batch[1], reduction="none")
        return super().scored(outputs, batch) | {"nats": nats}

    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """The shares of the training text at every position."""
        shares = (self.counts + 1.0).log().reshape(1, -1, 1)
        return self.scored(shares.expand(len(batch[1]), -1, batch[1].shape[1]).to(batch[1].device), batch)


class Perplexity(Metric):
    """The exponential of the mean of `nats`, the negative log-probability of each true token."""

    higher_is_better = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), "sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), "sum")

    def update(self, nats: Tensor) -> None:
        """Of some windows, (N, L)."""
        self.total += nats.double().sum()
        self.count += nats.numel()

    def compute(self) -> Tensor:
        """Over all tokens seen."""
        return (self.total / self.count).exp()


class NextTokenAccuracy(Metric):
    """The share of tokens that were the most probable ones."""

    higher_is_better = True
    right: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.zeros((), dtype=torch.int64), "sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), "sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Of some windows, both (N, L)."""
        self.right += (preds == target).sum()
        self.count += target.numel()

    def compute(self) -> Tensor:
        """Over all tokens seen."""
        return self.right.double() / self.count
