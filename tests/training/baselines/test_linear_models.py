"""The linear models of the quick baseline: raw outputs as a network's, from features with category codes expanded."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from lab.modules.tasks.classification import Probabilities
from lab.training.baselines.features import MOST_CATEGORIES, Features, TokenWeights, summaries
from lab.training.baselines.linear_models import logistic_regression, one_vs_rest, ridge_regression

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(200, 4))


@pytest.mark.parametrize("classes", [2, 3])
def test_logits_give_the_probabilities_of_scikit_learn(classes: int) -> None:
    y = (X[:, 0] + RANDOM.normal(size=200) > 0).astype(int) + (X[:, 1] > 1) * (classes - 2)
    logits = logistic_regression(X, y, classes, of_class=None)(X)
    assert logits.shape == (200, 1 if classes == 2 else 3)
    expected = LogisticRegression(max_iter=100).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(Probabilities()(logits).numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("present", [(0, 2, 3), (1, 3)])
def test_a_class_without_samples_gets_no_probability(present: tuple[int, ...]) -> None:
    y = np.array(present)[RANDOM.integers(len(present), size=200)]
    probabilities = Probabilities()(logistic_regression(X, y, 4, of_class=None)(X)).numpy()
    expected = LogisticRegression(max_iter=100).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(probabilities[:, list(present)], expected, atol=1e-9)
    assert probabilities.sum(1) == pytest.approx(1)


def test_values_are_those_of_scikit_learn() -> None:
    y = X[:, :2] + RANDOM.normal(size=(200, 2))
    np.testing.assert_allclose(ridge_regression(X, y)(X), Ridge(alpha=1.0).fit(X, y).predict(X))
    assert ridge_regression(X, y[:, :1])(X).shape == (200, 1)


def test_images_are_flattened() -> None:
    assert Features.fit(np.zeros((3, 1, 4, 5)), {})(np.zeros((2, 1, 4, 5))).shape == (2, 20)


def test_codes_of_few_categories_are_one_hot_the_unknown_one_too() -> None:
    x = np.array([[0.5, 0], [1.5, 1], [2.5, 3]])
    assert Features.fit(x, {1: 3})(x).tolist() == [[0.5, 1, 0, 0, 0], [1.5, 0, 1, 0, 0], [2.5, 0, 0, 0, 1]]


def test_codes_of_many_categories_become_their_frequency_standardised() -> None:
    codes = np.concatenate([np.zeros(60), np.arange(1, 61)])[:, None]
    found = Features.fit(codes, {0: 80})(codes)
    assert found.shape == (120, 1)
    assert (found.mean(), found.std()) == (pytest.approx(0), pytest.approx(1))
    assert found[0] > 0 > found[-1]
    assert torch.isfinite(torch.from_numpy(Features.fit(codes[:60], {0: 80})(codes))).all()


@pytest.mark.parametrize(("categories", "width"), [(MOST_CATEGORIES, MOST_CATEGORIES + 1), (MOST_CATEGORIES + 1, 1)])
def test_up_to_so_many_categories_are_one_hot(categories: int, width: int) -> None:
    codes = np.arange(10.0)[:, None]
    assert Features.fit(codes, {0: categories})(codes).shape == (10, width)


def test_each_label_has_a_regression_of_its_own_and_one_that_never_changes_is_certain() -> None:
    y = np.stack([X[:, 0] > 0, np.ones(200), np.zeros(200), np.arange(200) > 1], axis=1).astype(int)
    found = one_vs_rest(X, y)(X).sigmoid().numpy()
    for label in (0, 3):
        expected = LogisticRegression(max_iter=100).fit(X, y[:, label]).predict_proba(X)[:, 1]
        np.testing.assert_allclose(found[:, label], expected, atol=1e-9)
    assert (found[:, 1] == 1).all()
    assert (found[:, 2] == 0).all()


def test_sequences_of_any_length_are_summed_up() -> None:
    found = summaries(np.array([[[4.0, 1.0, 3.0, np.nan]], [[2.0, np.nan, np.nan, np.nan]]]))
    deviation = np.std([4, 1, 3])
    np.testing.assert_allclose(found, [[8 / 3, deviation, 4, 3, 1, 4, np.log(3)], [2, 0, 2, 2, 2, 2, 0]])


@pytest.mark.parametrize("most", [1_000, 20])
def test_tokens_of_texts_have_the_tf_idf_weights_of_scikit_learn(most: int) -> None:
    tokens = RANDOM.integers(1, 40, size=(60, 12)) * (RANDOM.random((60, 12)) < 0.7)
    texts = [" ".join(f"t{token}" for token in row if token) for row in tokens]
    with_token = np.bincount(np.concatenate([np.unique(row) for row in tokens[:50]]), minlength=40)
    kept = sorted(range(1, 40), key=lambda token: (-with_token[token], token))[:most]
    reference = TfidfVectorizer(sublinear_tf=True, vocabulary=[f"t{token}" for token in sorted(kept)])
    expected = reference.fit(texts[:50]).transform(texts).toarray()
    found = TokenWeights(tokens[:50].astype(float), most)(tokens.astype(float)).toarray()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_features_with_texts_are_the_numbers_the_categories_and_the_weights_of_tokens() -> None:
    numbers, codes = RANDOM.normal(size=(30, 2)), RANDOM.integers(3, size=(30, 1))
    tokens = RANDOM.integers(5, size=(30, 4))
    x = np.concatenate([numbers, tokens, codes], axis=1).astype(float)
    found = Features.fit(x, {6: 3}, {(2, 6): 100})(x).toarray()
    weights = TokenWeights(tokens.astype(float), 100)(tokens.astype(float)).toarray()
    np.testing.assert_allclose(found, np.concatenate([numbers, np.eye(4)[codes[:, 0]], weights], axis=1))
