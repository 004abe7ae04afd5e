"""Networks that some data needs around any architecture: embeddings, windows relative to the last value, thresholds."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

PADDING = 0  # the token after the last one of a text
MAX_DEVIATION = 10.0  # standard deviations; a value further from the mean is more often an error than a measurement


class Embedded(nn.Module):
    """Replaces columns of category codes by embeddings (Guo & Berkhahn 2016, arXiv 1604.06737).

    `embedded` maps the index of each such column to (number of known categories, width of the embedding). The code
    after the last known category stands for every unknown one; its embedding is the mean of the known ones. The
    other columns come first, clipped to ±10 standard deviations. `texts` maps the first column of a text and the one
    after its last to (number of tokens, width): of its tokens, 0 after the last one, the mean of the embeddings is
    taken (Joulin et al. 2016, arXiv 1607.01759).
    Shapes: (N, columns) to the output of `architecture` for (N, width).
    """

    plain: Tensor

    def __init__(
        self,
        architecture: nn.Module,
        columns: int,
        embedded: Mapping[int, tuple[int, int]],
        texts: Mapping[tuple[int, int], tuple[int, int]] | None = None,
    ):
        super().__init__()
        self.texts = list(texts or {})
        others = {*embedded, *(index for first, end in self.texts for index in range(first, end))}
        plain = [index for index in range(columns) if index not in others]
        self.register_buffer("plain", torch.tensor(plain, dtype=torch.int64), persistent=False)
        self.indices = list(embedded)
        self.embeddings = nn.ParameterList(
            nn.Parameter(torch.randn(categories, width) / width**0.5) for categories, width in embedded.values()
        )
        self.tokens = nn.ModuleList(MeanEmbedding(*sizes) for sizes in (texts or {}).values())
        self.architecture = architecture

    def forward(self, x: Tensor) -> Tensor:
        """(N, columns) to logits or values (N, out_features)."""
        parts = [x[:, self.plain].clamp(-MAX_DEVIATION, MAX_DEVIATION)]
        for index, known in zip(self.indices, self.embeddings, strict=True):
            with_unknown = torch.cat([known, known.mean(0, keepdim=True)])
            parts.append(with_unknown[x[:, index].long()])
        for (first, end), tokens in zip(self.texts, self.tokens, strict=True):
            parts.append(tokens(x[:, first:end].long()))
        return self.architecture(torch.cat(parts, dim=1))


class MeanEmbedding(nn.Module):
    """Token numbers (N, L) to the mean of their embeddings (N, width); PADDING does not count."""

    def __init__(self, tokens: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tokens, width) / width)  # tokens never seen say next to nothing

    def forward(self, numbers: Tensor) -> Tensor:
        """(N, L) to (N, width)."""
        if not torch.compiler.is_exporting():  # in ONNX it would be a loop over the samples
            return embedding_bag(numbers, self.weight, mode="mean", padding_idx=PADDING)
        real = (numbers != PADDING).unsqueeze(2)
        return (self.weight[numbers] * real).sum(1) / real.sum(1)


class TokenEmbedding(nn.Module):
    """Replaces token numbers by embeddings, channels first; padding is NaN, as in sequences of unequal length.

    An architecture that says `takes_mean` uses nothing but the mean over the steps; it gets that as a single step,
    since a step of training then takes less than half the time.
    Shapes: (N, L) to the output of `architecture` for (N, width, L), or for (N, width, 1).
    """

    def __init__(self, architecture: nn.Module, tokens: int, width: int, padding: int):
        super().__init__()
        self.padding = padding
        self.mean = getattr(architecture, "takes_mean", False)
        self.embedding = nn.Embedding(tokens, width)
        nn.init.normal_(self.embedding.weight, std=1 / width)  # tokens never seen say next to nothing
        self.architecture = architecture

    def forward(self, x: Tensor) -> Tensor:
        """(N, L) to logits or values (N, out_features)."""
        numbers = x.long()
        if self.mean and not torch.compiler.is_exporting():  # in ONNX it would be a loop over the samples
            found = embedding_bag(numbers, self.embedding.weight, mode="mean", padding_idx=self.padding)
            return self.architecture(found.unsqueeze(2))
        steps = self.embedding(numbers).transpose(1, 2)
        return self.architecture(steps.masked_fill((numbers == self.padding).unsqueeze(1), torch.nan))


class FromLastValue(nn.Module):
    """Subtracts the last value of each channel from its window; adds those of the targets to the output.

    An output of zero is therefore the last-value forecast, and the level of the series does not matter to the
    architecture (NLinear: Zeng et al. 2023, arXiv 2205.13504). The first `channels` are relative, by default the
    targets; the others are unchanged. Shapes: (N, C, window) to (N, levels · targets · horizon).
    """

    relative: Tensor

    def __init__(
        self, architecture: nn.Module, targets: int, horizon: int, channels: int | None = None, levels: int = 1
    ):
        super().__init__()
        self.architecture = architecture
        self.targets = targets
        self.horizon = horizon
        self.levels = levels
        self.covariates = channels is not None and channels > targets
        self.register_buffer("relative", torch.tensor(channels or targets), persistent=self.covariates)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, window) to values (N, levels · targets · horizon)."""
        last = x[:, :, -1:]
        shifted = torch.arange(x.shape[1], device=x.device)[:, None] < self.relative
        own = self.architecture(x - torch.where(shifted, last, 0.0))
        levels = last[:, : self.targets].expand(-1, -1, self.horizon).flatten(1)
        return own + (levels if self.levels == 1 else levels.repeat(1, self.levels))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """In checkpoints of version 0.1, which do not say it, only the targets are relative."""
        if self.covariates:
            state_dict.setdefault(f"{prefix}relative", torch.tensor(self.targets))
        super()._load_from_state_dict(state_dict, prefix, *others)


class OrderedThresholds(nn.Module):
    """One output of an architecture, (N, 1), to the logits of P(class > k), (N, K − 1), of K ordered classes.

    The output less rising thresholds: proportional odds (McCullagh 1980). The thresholds start at the log-odds of the
    classes' `counts` among the training samples, to which weight decay draws them back.
    """

    first: Tensor
    gaps: Tensor

    def __init__(self, architecture: nn.Module, counts: Sequence[float]):
        super().__init__()
        self.architecture = architecture
        smoothed = torch.tensor(counts, dtype=torch.float64) + 0.5  # a class may have no training sample
        start = torch.logit(smoothed.cumsum(0) / smoothed.sum())[:-1].float()
        self.register_buffer("first", start[:1])
        self.register_buffer("gaps", start.diff())
        self.shift = nn.Parameter(torch.zeros(1))
        self.stretch = nn.Parameter(torch.zeros(len(start) - 1))

    def thresholds(self) -> Tensor:
        """The thresholds (K − 1,)."""
        first = self.first + self.shift
        return torch.cat([first, first + (self.gaps * self.stretch.exp()).cumsum(0)])

    def forward(self, x: Tensor) -> Tensor:
        """Samples (N, ...) to cumulative logits (N, K − 1), which fall with k."""
        return self.architecture(x) - self.thresholds()
