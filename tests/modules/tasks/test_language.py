"""Language models: causality, perplexity against a plain loop, the n-gram baseline, and what is no text."""

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

import lab
from lab.architectures.transformer import CausalTransformer
from lab.config.experiment import load
from lab.data.text.characters import Characters
from lab.errors import LabError
from lab.training.baselines.ngram import NGrams
from lab.training.building import build
from lab.training.rehearsal import whole_batch

LINE = "the cat sat on the mat and the dog sat on the log. "
SMALL = ("model={kind: causal_transformer, hidden: 16, layers: 1, heads: 2}", "trainer.max_epochs=2", "data.length=16")


@pytest.fixture
def book(workplace: Path) -> Path:
    (workplace / "book.txt").write_text(LINE * 60, encoding="utf-8")
    return workplace


def experiment_of(*overrides: str) -> "lab.config.experiment.Experiment":  # type: ignore[name-defined]
    return load("characters", ["data.path=book.txt", *SMALL, *overrides])


@pytest.mark.parametrize("kernel", [1, 4])
def test_changing_the_future_changes_nothing_before_it(kernel: int) -> None:
    torch.manual_seed(0)
    network = CausalTransformer(12, 9, hidden=16, layers=2, heads=2, kernel=kernel)
    for network_in_mode, place in product((network.train(), network.eval()), range(1, 12)):
        x = torch.randint(0, 9, (3, 12))
        other = x.clone()
        other[:, place:] = torch.randint(0, 9, (3, 12 - place))
        torch.testing.assert_close(network_in_mode(x)[:, :, :place], network_in_mode(other)[:, :, :place])


def test_windows_follow_each_other_and_targets_are_one_step_later(book: Path) -> None:
    data = build(experiment_of("data.batch_size=4")).data
    assert isinstance(data, Characters)
    train = LINE * 60
    first = train[: round(len(train) * 0.8)]
    x = torch.cat([part for part, _ in data.loader("train")]).long()
    y = torch.cat([part for _, part in data.loader("train")])
    numbers = torch.from_numpy(data.encoding.numbers(first))
    assert torch.equal(x.flatten(), numbers[: x.numel()])
    assert torch.equal(y.flatten(), numbers[1 : x.numel() + 1])


def test_perplexity_is_that_of_a_plain_loop(book: Path) -> None:
    built = build(experiment_of())
    module, nats = built.task_module.eval(), []
    with torch.no_grad():
        scores = module.score_outputs(module, built.data.loader("test"))
        for x, y in built.data.loader("test"):
            shares = module(x).double().softmax(1)
            nats += [-math.log(shares[row, y[row, place], place]) for row in range(len(y)) for place in range(16)]
    assert scores["perplexity"] == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-6)


def test_the_unigram_gives_each_character_its_share(book: Path) -> None:
    built = build(experiment_of())
    data = built.data
    assert isinstance(data, Characters)
    counts = data.character_counts.double() + 1
    y = torch.cat([part for _, part in data.loader("test")])
    expected = (-(counts / counts.sum()).log()[y]).mean().exp()
    found = built.task_module.score_trivial(data.loader("test"))
    assert found["perplexity"] == pytest.approx(float(expected), rel=1e-6)


def test_an_n_gram_is_witten_and_bells_formula() -> None:
    # After a: b twice, c once; of all: a 3, b 3, c 1, of 4 tokens (one never seen).
    grams = NGrams(np.array([1, 2, 1, 2, 1, 3, 2]), 4, 2)
    alone = {token: (count + 3 * 0.25) / (7 + 3) for token, count in ((1, 3), (2, 3), (3, 1), (0, 0))}
    expected = [(0 + 2 * alone[0]) / 5, (0 + 2 * alone[1]) / 5, (2 + 2 * alone[2]) / 5, (1 + 2 * alone[3]) / 5]
    np.testing.assert_allclose(grams.probabilities((1,)), expected, rtol=1e-12)
    for context in product(range(4), repeat=2):
        assert grams.probabilities(context).sum() == pytest.approx(1, abs=1e-12)
        assert (grams.probabilities(context) == grams.probabilities(context[1:])).all()  # of an order of 2
    of_windows = grams.log_probabilities(np.array([[1, 2, 3], [0, 1, 1]]))
    assert of_windows.shape == (2, 4, 3)
    np.testing.assert_allclose(np.exp(of_windows[1, :, 2]), grams.probabilities((1,)))


@pytest.mark.parametrize(
    ("content", "overrides", "message"),
    [
        (b"", (), "book.txt: is empty"),
        (b"\xff\xfe\x00", (), "book.txt: is not UTF-8 text"),
        (b"a\0b" * 900, (), "is not a text: it holds a character 0"),
        (b"too short", (), "data.length: a window of 16 characters and the next one do not fit into the . of the"),
        (None, ("data.path=nowhere.txt",), "nowhere.txt"),
    ],
)
def test_what_cannot_be_read_or_trained_is_one_line(
    book: Path, content: bytes | None, overrides: tuple[str, ...], message: str
) -> None:
    if content is not None:
        (book / "book.txt").write_bytes(content)
    with pytest.raises(LabError, match=message) as raised:
        whole_batch.rehearse(build(experiment_of(*overrides)))
    assert "\n" not in str(raised.value)
