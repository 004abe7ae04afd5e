"""The page Concepts: every page as text, and pictures whose numbers are right."""

import itertools

import numpy as np
import pytest
import torch
from pages import opened_page, texts
from torch import nn

from dashboard.concepts import dropout, gradient, learning_rate, norms, receptive_field
from dashboard.concepts import texts as concept_texts

CONCEPTS = concept_texts.concepts()


def test_every_page_of_docs_is_there_in_the_order_of_the_index() -> None:
    assert {concept.name for concept in CONCEPTS} == {
        path.stem for path in concept_texts.FOLDER.glob("*.md") if path.stem != "README"
    }
    assert CONCEPTS[0].title == "Tensors and NumPy"
    assert not any("](../" in concept.text for concept in CONCEPTS)


@pytest.mark.parametrize(
    ("title", "pictures"),
    [
        ("Autograd and accumulation", 1),
        ("The training loop", 1),
        ("Convolutions and recurrent layers", 1),
        ("Dropout and normalisation", 2),
    ],
)
def test_a_page_with_a_picture(title: str, pictures: int, empty_workplace: object) -> None:
    app = opened_page("concepts", concept=title)
    assert f"### {title}" in texts(app)
    assert app.slider
    assert len(app.get("plotly_chart")) == pictures


def test_a_page_without_a_picture(empty_workplace: object) -> None:
    app = opened_page("concepts", concept="Saving and loading")
    assert "### Saving" in texts(app)
    assert not app.slider


def test_a_control_changes_the_picture(empty_workplace: object) -> None:
    app = opened_page("concepts", concept="The training loop")
    assert "converges" in texts(app)
    app.slider(key="lr").set_value(2.5).run()
    assert not app.exception
    assert "diverges" in texts(app)


def test_a_concept_that_does_not_exist_opens_one_that_does(empty_workplace: object) -> None:
    assert "zero_grad" in texts(opened_page("concepts", concept="no-such"))


def test_without_the_docs_the_page_says_where_they_are(
    empty_workplace: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concept_texts.concepts, "__defaults__", (concept_texts.FOLDER / "none",))
    assert "clone of the lab" in texts(opened_page("concepts"))


@pytest.mark.parametrize(("name", "point"), list(itertools.product(gradient.FUNCTIONS, [-1.3, 0.4, 2.0])))
def test_a_slope_is_the_limit_of_the_difference_quotient(name: str, point: float) -> None:
    value = gradient.FUNCTIONS[name][0]
    quotient = (value(np.array(point + 1e-6)) - value(np.array(point - 1e-6))) / 2e-6
    assert gradient.slope(name, point) == pytest.approx(float(quotient), abs=1e-6)


def test_dropout_keeps_the_mean_and_does_nothing_in_evaluation() -> None:
    ones = np.ones((400, 500))
    after = dropout.dropped(ones, 0.3, seed=0)
    assert set(np.unique(after)) == {0, 1 / 0.7}
    assert after.mean() == pytest.approx(1, abs=0.01)
    assert after.var() == pytest.approx(0.3 / 0.7, abs=0.01)
    assert dropout.dropped(ones, 0.3, seed=0, training=False) is ones


def test_norms_are_those_of_pytorch() -> None:
    x = norms.features(8)
    layers = {"batch": nn.BatchNorm1d(norms.CHANNELS), "layer": nn.LayerNorm(norms.CHANNELS)}
    for name, layer in layers.items():
        expected = layer(torch.from_numpy(x).float()).detach().numpy()
        np.testing.assert_allclose(norms.normalised(x, name), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("lr", "how"),
    [
        (0.5, "converges"),
        (1.0, "converges"),
        (1.5, "oscillates and converges"),
        (2.0, "neither converges nor diverges"),
        (2.1, "diverges"),
    ],
)
def test_the_path_of_sgd_on_a_parabola_is_its_closed_form(lr: float, how: str) -> None:
    expected = learning_rate.START * (1 - lr) ** np.arange(learning_rate.STEPS + 1)
    np.testing.assert_allclose(learning_rate.path(lr), expected, atol=1e-12)
    assert learning_rate.behaviour(lr) == how


def test_momentum_takes_the_steps_of_pytorch() -> None:
    weight = nn.Parameter(torch.tensor(learning_rate.START, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.3, momentum=0.8)
    for _ in range(5):
        optimizer.zero_grad()
        (weight**2 / 2).backward()
        optimizer.step()
    assert learning_rate.path(0.3, 0.8, steps=5)[-1] == pytest.approx(weight.item())


@pytest.mark.parametrize(
    ("kernel", "layers", "stride", "dilation"), [(3, 3, 1, 1), (5, 2, 2, 1), (3, 3, 1, 2), (2, 4, 3, 3)]
)
def test_an_output_depends_on_just_the_inputs_that_are_drawn(
    kernel: int, layers: int, stride: int, dilation: int
) -> None:
    size = receptive_field.size(kernel, layers, stride, dilation)
    stack = nn.Sequential(*(nn.Conv1d(1, 1, kernel, stride, dilation=dilation) for _ in range(layers)))
    for parameter in stack.parameters():
        nn.init.ones_(parameter)
    x = torch.zeros(1, 1, size, requires_grad=True)
    output = stack(x)
    assert output.shape[2] == 1
    output.sum().backward()
    assert x.grad is not None
    assert x.grad[0, 0].nonzero()[:, 0].tolist() == receptive_field.seen(kernel, layers, stride, dilation)[-1].tolist()
