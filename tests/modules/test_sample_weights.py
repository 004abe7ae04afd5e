"""Weights of samples: losses of a plain loop, metrics and baselines of scikit-learn with `sample_weight`."""

import copy
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from modules.made_modules import task
from sklearn import metrics as reference
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lab.config.experiment import from_sections
from lab.data.base import SampleDataModule, Samples
from lab.data.loaders import derived_seed
from lab.data.preparation import Scale
from lab.errors import LabError
from lab.modules.class_weights import WeightedBCE
from lab.modules.metrics.epoch_scores import EpochScores, weighted
from lab.modules.sample_weights import weighted_loss
from lab.modules.tasks.classification import ClassificationModule
from lab.modules.tasks.regression import RegressionModule
from lab.training.baselines import quick_baseline
from lab.training.building import Built, build
from lab.training.rehearsal import whole_batch
from lab.training.trainer import evaluate, make_trainer

SAMPLES = 45
TIGHT = 1e-6
GENERATOR = torch.Generator().manual_seed(5)
WEIGHT = torch.rand(SAMPLES, generator=GENERATOR) * 3
WEIGHT[::6] = 0.0
LABELS = torch.randint(3, (SAMPLES,), generator=GENERATOR)
LOGITS = torch.randn(SAMPLES, 3, generator=GENERATOR)


def scores(module: Any, outputs: Tensor, y: Tensor, weight: Tensor = WEIGHT, size: int = 7) -> dict[str, float]:
    """The loss and the metrics of an epoch, collected batch by batch; those of the test too."""
    collected = EpochScores(module.new_metrics("test"))
    for part, *batch in zip(outputs.split(size), y.split(size), y.split(size), weight.split(size), strict=True):
        loss = module.loss_of(part, tuple(batch))
        target = module.loss_target(tuple(batch))
        collected.add(*weighted(module.loss, [loss], [target], [batch[2]]), module.scored(part, tuple(batch)))
    return collected.compute()


class TestMetricsAreThoseOfScikitLearn:
    def test_of_classes(self) -> None:
        module = ClassificationModule(3, 0, ["a", "b", "c"], weighted=True, **task(nn.CrossEntropyLoss()))
        found = scores(module, LOGITS, LABELS)
        y, predicted, weight = LABELS.numpy(), LOGITS.argmax(1).numpy(), WEIGHT.numpy()
        expected = {
            "loss": reference.log_loss(y, LOGITS.double().softmax(1), sample_weight=weight),
            "accuracy": reference.accuracy_score(y, predicted, sample_weight=weight),
            "balanced_accuracy": reference.balanced_accuracy_score(y, predicted, sample_weight=weight),
            "f1": reference.f1_score(y, predicted, average="macro", sample_weight=weight),
        }
        recalls = reference.recall_score(y, predicted, average=None, sample_weight=weight)
        expected |= {f"recall_{name}": recall for name, recall in zip("abc", recalls, strict=True)}
        for name, value in expected.items():
            assert found[name] == pytest.approx(float(value), rel=TIGHT), name

    def test_of_two_classes_with_equal_scores(self) -> None:
        y, logits = (LABELS > 0).long(), (LOGITS[:, :1] * 2).round() / 2
        module = ClassificationModule(2, 0, weighted=True, **task(nn.BCEWithLogitsLoss()))
        found = scores(module, logits, y)
        expected = reference.roc_auc_score(y, logits[:, 0].sigmoid(), sample_weight=WEIGHT)
        assert found["auroc"] == pytest.approx(float(expected), rel=TIGHT)

    def test_calibration_is_that_of_each_sample_as_often_as_it_weighs(self) -> None:
        whole = (WEIGHT * 2).round()
        module = ClassificationModule(3, 0, weighted=True, **task(nn.CrossEntropyLoss()))
        found = scores(module, LOGITS, LABELS, whole)
        rows = torch.repeat_interleave(torch.arange(SAMPLES), whole.long())
        plain = ClassificationModule(3, 0, **task(nn.CrossEntropyLoss())).new_metrics()
        plain.update(preds=LOGITS[rows].softmax(1), target=LABELS[rows])
        for name, value in plain.compute().items():
            assert found[name] == pytest.approx(float(value), rel=TIGHT), name

    @pytest.mark.parametrize("shift", [0.0, 1e5])
    def test_of_values(self, shift: float) -> None:
        y, outputs = LOGITS[:, :2], LOGITS[:, 1:]
        scale = Scale(torch.tensor([shift, 2.0]), torch.tensor([3.0, 0.5]))
        columns = {"a": slice(0, 1), "b": slice(1, 2)}
        found = scores(RegressionModule(scale, columns, weighted=True, **task(nn.MSELoss())), outputs, y)
        true, predicted = y.double().numpy(), outputs.double().numpy()
        named = {"mae": "mean_absolute_error", "rmse": "root_mean_squared_error"}
        for number, (name, factor) in enumerate({"a": 3.0, "b": 0.5}.items()):
            for short, long in named.items():
                value = getattr(reference, long)(true[:, number], predicted[:, number], sample_weight=WEIGHT)
                assert found[f"{short}_{name}"] == pytest.approx(value * factor, rel=TIGHT)
            r2 = reference.r2_score(true[:, number], predicted[:, number], sample_weight=WEIGHT)
            assert found[f"r2_{name}"] == pytest.approx(r2, rel=TIGHT)
        assert found["r2"] == pytest.approx(reference.r2_score(true, predicted, sample_weight=WEIGHT), rel=TIGHT)
        assert found["loss"] == pytest.approx(reference.mean_squared_error(true, predicted, sample_weight=WEIGHT))


CLASSES = torch.tensor([1.0, 5.0, 0.2])


class TestLoss:
    @pytest.mark.parametrize("size", [1, 7, SAMPLES])
    @pytest.mark.parametrize(
        "loss",
        [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(CLASSES), nn.CrossEntropyLoss(ignore_index=2)],
        ids=["plain", "class weights", "a class ignored"],
    )
    def test_of_an_epoch_is_the_weighted_mean_whatever_the_batch_size(self, loss: nn.Module, size: int) -> None:
        module = ClassificationModule(3, 0, weighted=True, **task(loss))
        of_class = torch.ones(3) if loss.weight is None else CLASSES
        counts = (WEIGHT * of_class[LABELS] * (loss.ignore_index != LABELS)).double()
        losses = cross_entropy(LOGITS.double(), LABELS, reduction="none")
        expected = float((counts * losses).sum() / counts.sum())
        assert scores(module, LOGITS, LABELS, size=size)["loss"] == pytest.approx(expected, rel=TIGHT)

    def test_weights_of_one_give_the_usual_loss(self) -> None:
        y = (LABELS > 0).float()[:, None]
        for loss in (nn.BCEWithLogitsLoss(), WeightedBCE(CLASSES[:2]), nn.MSELoss(), nn.L1Loss(), nn.HuberLoss()):
            plain = loss(LOGITS[:, :1], y)
            found = weighted_loss(loss, LOGITS[:, :1], y, torch.ones(SAMPLES))
            assert float(found) == pytest.approx(float(plain), rel=1e-6)

    def test_a_weight_of_two_is_the_row_twice(self) -> None:
        weight = torch.ones(SAMPLES)
        weight[3] = 2.0
        twice = torch.cat([torch.arange(SAMPLES), torch.tensor([3])])
        found = weighted_loss(nn.CrossEntropyLoss(), LOGITS, LABELS, weight)
        assert float(found) == pytest.approx(float(cross_entropy(LOGITS[twice], LABELS[twice])), rel=1e-6)

    def test_a_batch_without_weight_has_a_loss_and_a_gradient_of_0(self) -> None:
        logits = LOGITS.clone().requires_grad_()
        loss = weighted_loss(nn.CrossEntropyLoss(), logits, LABELS, torch.zeros(SAMPLES))
        loss.backward()
        assert float(loss.detach()) == 0
        assert logits.grad is not None
        assert not logits.grad.any()


class Blobs(SampleDataModule):
    """Samples of three classes with whole weights, with weights of `ones`, or with none."""

    def __init__(self, weights: str = "whole", seed: int = 0):
        super().__init__(batch_size=16, val_fraction=0.2, test_fraction=0.2, seed=seed)
        self.weights = weights

    def read(self) -> Samples:
        random = np.random.default_rng(0)
        y = np.arange(120) % 3
        x = random.normal(size=(120, 4)) + y[:, None]
        weights = {"whole": random.integers(0, 4, 120), "ones": np.ones(120), "none": None}
        return Samples(x, y, class_names=["a", "b", "c"], weight=weights[self.weights])


class Pairs(L.LightningModule):
    """A module that knows of no weights."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return cross_entropy(self.layer(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Scalar(nn.Module):
    """A loss that gives the mean alone."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(logits, target)


def built(weights: str = "whole", **sections: Any) -> Built:
    data = {"kind": f"{__name__}:Blobs", "weights": weights}
    model, trainer = {"kind": "mlp", "hidden": 8}, {"max_epochs": 3}
    return build(from_sections("weighed", "", {"data": data, "model": model, "trainer": trainer, **sections}))


@pytest.mark.usefixtures("empty_workplace")
class TestTraining:
    def test_equals_a_plain_loop_bit_for_bit(self) -> None:
        made = built()
        network = copy.deepcopy(made.task_module.architecture).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
        order = made.data.train_dataloader().sampler
        dataset: Any = made.data.splits["train"]
        x, y, weight = dataset.batch(torch.arange(len(dataset)))
        for epoch in range(3):
            order.set_epoch(epoch)
            for number, rows in enumerate(order.indices().split(16)):
                torch.manual_seed(derived_seed(0, epoch, 1) + number)
                losses = cross_entropy(network(x[rows]), y[rows], reduction="none")
                ((weight[rows] * losses).sum() / weight[rows].sum()).backward()
                optimizer.step()
                optimizer.zero_grad()
        make_trainer(made).fit(made.module, made.data)
        pairs = zip(made.task_module.architecture.parameters(), network.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)

    def test_weights_of_one_train_as_none(self) -> None:
        one, none = built("ones"), built("none")
        for each in (one, none):
            make_trainer(each).fit(each.module, each.data)
        pairs = zip(one.module.parameters(), none.module.parameters(), strict=True)
        assert all(torch.allclose(first, second, rtol=1e-4, atol=1e-6) for first, second in pairs)

    def test_the_trivial_baseline_is_the_class_with_the_most_weight(self) -> None:
        data = built().data
        dataset: Any = data.splits["train"]
        _, y, weight = dataset.batch(torch.arange(len(dataset)))
        sums = [float(weight[y == number].sum()) for number in range(3)]
        assert data.class_counts == pytest.approx(sums)
        assert data.majority == int(np.argmax(sums))

    def test_the_quick_baseline_is_weighted(self) -> None:
        made = built()
        rows = {}
        for split in ("train", "test"):
            dataset: Any = made.data.splits[split]
            rows[split] = [part.double().numpy() for part in dataset.batch(torch.arange(len(dataset)))]
        x, y, weight = rows["train"]
        model = LogisticRegression(max_iter=100).fit(x, y, sample_weight=weight)
        x, y, weight = rows["test"]
        found = quick_baseline.measure(made).metrics["test/accuracy"]
        assert found == pytest.approx(model.score(x, y, sample_weight=weight), rel=TIGHT)

    def test_intervals_are_of_weighted_metrics(self) -> None:
        made = built()
        trainer = make_trainer(made)
        trainer.fit(made.module, made.data)
        tested = evaluate(trainer, made)
        low, high = made.task_module.test_intervals(1)["test/accuracy"]
        assert low < tested["test/accuracy"] < high
        assert "weight" in made.task_module.test_outputs[0]

    def test_a_loss_without_the_losses_of_samples_is_refused_in_one_line(self) -> None:
        made = built(loss={"kind": f"{__name__}:Scalar"})
        with pytest.raises(
            LabError, match=r"^loss: Scalar cannot weigh samples \(data\.weight\); it has no `reduction`"
        ):
            whole_batch.rehearse(made)

    def test_a_module_of_ones_own_that_takes_pairs_is_refused_in_one_line(self) -> None:
        sections = {"data": {"kind": f"{__name__}:Blobs"}, "module": {"kind": f"{__name__}:Pairs"}}
        made = build(from_sections("pairs", "", {**sections, "trainer": {"max_epochs": 1}}))
        with pytest.raises(LabError, match=r"expected 2\); with data\.weight a batch is \(x, y, weight\)") as caught:
            whole_batch.rehearse(made)
        assert len(caught.value.lines) == 1

    def test_a_metric_that_takes_no_weights_is_said(self) -> None:
        made = built(metrics={"top": {"kind": "torchmetrics.classification:MulticlassAccuracy"}})
        assert ("metrics", "top: update() takes no `weight`: every sample counts alike") in whole_batch.rehearse(
            made
        ).notes
