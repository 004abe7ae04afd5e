"""Ordered classes: the loss is that of proportional odds, the metrics are scikit-learn's."""

import numpy as np
import pytest
import torch
from modules.made_modules import batches, scores, task
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score, mean_absolute_error
from torch import nn
from torchmetrics import MetricCollection

from lab.architectures.adapters import OrderedThresholds
from lab.modules.metrics.class_metrics import MOST_RECALLS
from lab.modules.metrics.ordinal_metrics import (
    ClassError,
    OrderedAccuracy,
    OrderedBalancedAccuracy,
    OrderedRecall,
    QuadraticKappa,
)
from lab.modules.tasks.ordinal import (
    OrderedProbabilities,
    OrdinalLoss,
    OrdinalModule,
    cumulative_logits,
    median_class,
)

RANDOM = np.random.default_rng(0)
CLASSES = 5


def logits(rows: int) -> torch.Tensor:
    """Cumulative logits (N, K − 1), which fall with the class."""
    return torch.from_numpy(np.sort(RANDOM.normal(size=(rows, CLASSES - 1)) * 2, axis=1)[:, ::-1].copy())


def test_probabilities_are_differences_of_logistic_curves() -> None:
    given = logits(20)
    above = 1 / (1 + np.exp(-given.numpy()))
    edges = np.concatenate([np.ones((20, 1)), above, np.zeros((20, 1))], axis=1)
    np.testing.assert_allclose(OrderedProbabilities()(given), edges[:, :-1] - edges[:, 1:], atol=1e-12)


def test_the_loss_is_minus_the_logarithm_of_the_probability_of_the_class() -> None:
    given, target = logits(50), torch.from_numpy(RANDOM.integers(CLASSES, size=50))
    expected = -OrderedProbabilities()(given)[torch.arange(50), target].log()
    torch.testing.assert_close(OrdinalLoss("none")(given, target), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(OrdinalLoss()(given, target), expected.mean())


@pytest.mark.parametrize("score", [-80.0, 80.0])
def test_the_loss_and_its_gradient_are_finite_where_the_probability_is_0_in_single_precision(score: float) -> None:
    network = OrderedThresholds(nn.Linear(1, 1), [5, 1, 0, 3])
    x = torch.full((4, 1), score / float(network.architecture.weight.detach()))  # type: ignore[union-attr, arg-type]
    loss = OrdinalLoss()(network(x), torch.arange(4))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(bool(torch.isfinite(parameter.grad).all()) for parameter in network.parameters())  # type: ignore[arg-type]


def test_a_network_that_knows_nothing_gives_each_class_its_share() -> None:
    network = OrderedThresholds(nn.Linear(1, 1), [50, 20, 10, 20])
    nn.init.zeros_(network.architecture.weight)  # type: ignore[arg-type]
    nn.init.zeros_(network.architecture.bias)  # type: ignore[arg-type]
    shares = OrderedProbabilities()(network(torch.zeros(1, 1)))
    torch.testing.assert_close(shares[0], torch.tensor([0.5, 0.2, 0.1, 0.2]), atol=0.01, rtol=0)


def test_the_thresholds_rise_whatever_is_learned() -> None:
    network = OrderedThresholds(nn.Linear(1, 1), [1, 0, 7, 2, 5])
    with torch.no_grad():
        network.stretch.copy_(torch.tensor([-8.0, 3.0, -2.0]))
        network.shift.fill_(5.0)
    assert (network.thresholds().diff() > 0).all()


def test_logits_of_a_softmax_are_turned_into_cumulative_ones() -> None:
    given = torch.from_numpy(RANDOM.normal(size=(10, CLASSES)))
    torch.testing.assert_close(OrderedProbabilities()(cumulative_logits(given)), given.softmax(1))
    never = torch.tensor([[0.0, -torch.inf, 1.0], [-torch.inf, 0.0, 1.0]])  # a class without a training sample
    torch.testing.assert_close(OrderedProbabilities()(cumulative_logits(never)), never.softmax(1))


def test_the_class_that_is_said_is_least_far_off_in_the_mean() -> None:
    probabilities = torch.from_numpy(RANDOM.dirichlet(np.ones(CLASSES), size=40))
    far = (torch.arange(CLASSES)[:, None] - torch.arange(CLASSES)).abs().double()
    assert torch.equal(median_class(probabilities), (probabilities @ far).argmin(1))


def test_every_metric_is_that_of_scikit_learn() -> None:
    true, said = RANDOM.integers(CLASSES - 1, size=(2, 80))  # the last class never occurs
    metrics = MetricCollection(
        {
            "kappa": QuadraticKappa(CLASSES),
            "mae": ClassError(CLASSES),
            "accuracy": OrderedAccuracy(CLASSES),
            "balanced": OrderedBalancedAccuracy(CLASSES),
            "recall": OrderedRecall(CLASSES, 2),
            "none": OrderedRecall(CLASSES, CLASSES - 1),
        },
        compute_groups=False,
    )
    for part in np.array_split(np.arange(80), 3):
        metrics.update(decided=torch.from_numpy(said[part]), target=torch.from_numpy(true[part]))
    assert {str(name): float(value) for name, value in metrics.compute().items()} == pytest.approx(
        {
            "kappa": cohen_kappa_score(true, said, weights="quadratic"),
            "mae": mean_absolute_error(true, said),
            "accuracy": accuracy_score(true, said),
            "balanced": balanced_accuracy_score(true, said),
            "recall": (said[true == 2] == 2).mean(),
            "none": np.nan,
        },
        abs=1e-6,
        nan_ok=True,
    )


def test_the_kappa_of_one_class_alone_is_no_number() -> None:
    metric = QuadraticKappa(CLASSES)
    metric.update(decided=torch.ones(3, dtype=torch.int64), target=torch.ones(3, dtype=torch.int64))
    assert metric.compute().isnan()


def module(counts: list[int]) -> OrdinalModule:
    return OrdinalModule([f"c{k}" for k in range(len(counts))], counts, **task(OrdinalLoss()))


@pytest.mark.parametrize("counts", [[5, 1, 3], [1, 1, 2], [1, 2, 4, 0, 1], [2, 2, 1, 4]])
def test_the_trivial_baseline_says_the_median_class_of_the_training_samples(counts: list[int]) -> None:
    shares = torch.tensor(counts).double() / sum(counts)
    batch = torch.zeros(2, 1), torch.tensor([0, 2])
    trivial = module(counts).scored_trivially(batch)
    assert trivial["decided"].tolist() == 2 * median_class(shares[None]).tolist()
    assert torch.equal(median_class(trivial["preds"]), trivial["decided"])
    assert module(counts).score_trivial(batches(batch, 1))["mae"] == pytest.approx(
        mean_absolute_error(batch[1], trivial["decided"])
    )


def test_a_guess_gives_each_class_its_share_of_the_training_samples() -> None:
    guess = module([5, 1, 4]).guess(2)
    assert guess.shape == (2, 2)
    torch.testing.assert_close(OrderedProbabilities()(guess), torch.tensor([[0.5, 0.1, 0.4]] * 2))


def test_the_module_scores_the_median_class_and_in_the_test_the_recall_of_each() -> None:
    given, target = logits(50).float(), torch.from_numpy(RANDOM.integers(CLASSES, size=50))
    found = scores(module([1] * CLASSES), given, (torch.zeros(50), target))
    said = median_class(OrderedProbabilities()(given))
    assert found["accuracy"] == pytest.approx(accuracy_score(target, said))
    assert found["kappa"] == pytest.approx(cohen_kappa_score(target, said, weights="quadratic"))
    assert set(module([3, 1, 2]).test_metrics()) == {"recall_c0", "recall_c1", "recall_c2"}
    assert len(module([1] * MOST_RECALLS).test_metrics()) == MOST_RECALLS
    assert module([1] * (MOST_RECALLS + 1)).test_metrics() == {}
