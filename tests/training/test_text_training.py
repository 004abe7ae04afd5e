"""Training on texts: every network that masks padding takes them, to the same bits after an interruption."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_texts import reviews
from resumed import assert_goes_on
from torch import nn

from lab.architectures.adapters import TokenEmbedding
from lab.architectures.texts import Bag
from lab.config.experiment import from_sections
from lab.data.encodings.text import PAD
from lab.errors import LabError
from lab.training.baselines import quick_baseline
from lab.training.building import Built, build
from lab.training.rehearsal.whole_batch import rehearse

DATA = {"kind": "text", "path": "reviews.csv", "text": "review", "target": "label", "batch_size": 16}
TINY = """# ?
data: {kind: text, path: reviews.csv, text: review, target: label, batch_size: 16, embedding: 4}
model: {kind: textcnn, channels: 4}
trainer: {max_epochs: 2}
"""


@pytest.fixture(autouse=True)
def in_folder(empty_workplace: Path) -> None:
    reviews(150).to_csv("reviews.csv", index=False)
    Path("experiments/tiny.yaml").write_text(TINY)


def built(kind: str, **data: object) -> Built:
    return build(from_sections("mine", "", {"data": DATA | data, "model": {"kind": kind}}))


@pytest.mark.parametrize("kind", ["bag", "textcnn", "conv1d", "lstm", "gru", "transformer"])
def test_networks_of_sequences_take_texts(kind: str) -> None:
    rehearsal = rehearse(built(kind))
    assert rehearsal.gradients["embedding.weight"]


@pytest.mark.parametrize("kind", ["conv2d", "mlp"])
def test_a_network_that_does_not_is_refused_in_one_line(kind: str) -> None:
    with pytest.raises(LabError, match=rf"model.kind: {kind} (takes|does not take)") as error:
        built(kind)
    (line,) = error.value.lines
    proposed = line.partition("kinds that ")[2]
    assert "bag" in proposed
    assert "linear" not in proposed


@pytest.mark.parametrize("kind", ["bag", "textcnn", "gru", "transformer"])
def test_more_padding_changes_nothing(kind: str) -> None:
    network = built(kind).task_module.architecture.eval()
    x = built(kind).data.first_samples(8)
    lengths = (x != PAD).sum(1)
    with torch.no_grad():
        whole = network(x)
        shorter = network(x[:, : int(lengths.max())])
        alone = torch.cat([network(row[:length][None]) for row, length in zip(x, lengths.tolist(), strict=True)])
    torch.testing.assert_close(shorter, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(alone, whole, rtol=1e-5, atol=1e-6)


def test_a_bag_is_the_linear_layer_of_the_mean_of_the_embeddings() -> None:
    network = TokenEmbedding(Bag(5, 3), tokens=9, width=5, padding=PAD)
    x = torch.tensor([[4, 2, 4, PAD], [7, PAD, PAD, PAD]])
    weights = network.embedding.weight
    expected = network.architecture.head(torch.stack([(2 * weights[4] + weights[2]) / 3, weights[7]]))
    torch.testing.assert_close(network(x), expected)
    network.mean = False  # as it is exported
    torch.testing.assert_close(network(x), expected)


def test_padding_gets_no_gradient_and_the_network_no_nan() -> None:
    class Sees(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert bool(x[:, :, 2:].isnan().all())
            return torch.where(x.isnan(), 0.0, x).square().sum((1, 2))

    network = TokenEmbedding(Sees(), tokens=5, width=3, padding=PAD)
    network(torch.tensor([[3, 4, PAD, PAD]])).sum().backward()
    gradient = network.embedding.weight.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    assert gradient.abs().sum(1).nonzero().flatten().tolist() == [3, 4]


def test_an_interrupted_training_ends_with_the_same_bits(empty_workplace: Path) -> None:
    assert_goes_on(empty_workplace, "tiny", (), (3, 6))


def test_the_quick_baseline_is_a_linear_model_of_the_raw_texts() -> None:
    found = quick_baseline.measure(built("bag"))
    assert found.name == "TF-IDF and logistic regression"
    assert found.metrics["test/accuracy"] > 0.9
    values = quick_baseline.measure(built("bag", target="stars"))
    assert values.name == "TF-IDF and ridge regression"
    assert values.metrics["test/r2"] > 0.5


def test_labels_and_ordered_classes_of_texts_have_one_too() -> None:
    rows = reviews(300)
    words = rows["review"].str.lower().str
    rows["tags"] = [";".join(name for name in ("actors", "music") if name in text) for text in rows["review"]]
    rows["grade"] = np.where(rows["label"] == "bad", "low", np.where(words.contains("music"), "high", "mid"))
    rows.to_csv("reviews.csv", index=False)
    labels = quick_baseline.measure(built("bag", target="tags", task="multilabel"))
    assert labels.name == "TF-IDF and one-vs-rest logistic regression"
    assert labels.metrics["test/f1_macro"] > 0.8
    grades = quick_baseline.measure(built("bag", target="grade", task="ordinal", order=["low", "mid", "high"]))
    assert grades.name == "TF-IDF and logistic regression"
    assert grades.metrics["test/kappa"] > 0.7
