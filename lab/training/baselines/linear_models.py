"""Linear models by scikit-learn, fitted in about a second: what a network must beat to be worth its trouble."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]
ClassWeights = Literal["balanced"] | dict[int, float] | None
MOST_ITERATIONS = 100


@dataclass(frozen=True)
class Linear:
    """Weights (T, F) and bias (T,): features (N, F) to the raw outputs (N, T) of a network for the same task."""

    weight: Matrix
    bias: Matrix

    def __call__(self, features: Matrix) -> Tensor:
        """The raw outputs."""
        return torch.from_numpy(features @ self.weight.T + self.bias)


def logistic_regression(
    x: Matrix,
    y: NDArray[np.int64],
    classes: int,
    of_class: ClassWeights,
    weight: Matrix | None = None,
    c: float = 1.0,
) -> Linear:
    """Features (N, F) and class numbers (N,) to logits: (N, 1) of two classes, else (N, classes).

    `of_class` is balanced, or has the weight of each class; `weight` (N,) is that of each row; `c` is the inverse of
    the penalty on the weights. A class without a sample gets no probability. Raises ValueError where there is a single
    class.
    """
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # of too few iterations, and of very many classes
        warnings.simplefilter("ignore", UserWarning)
        fitted = LogisticRegression(C=c, max_iter=MOST_ITERATIONS, class_weight=of_class, random_state=0)
        fitted.fit(x, y, sample_weight=weight)
    weight, bias = fitted.coef_, fitted.intercept_
    if classes == 2:
        return Linear(weight, bias)
    if len(fitted.classes_) == 2:  # one logit, of the second of them
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    every, biases = np.zeros((classes, x.shape[1])), np.full(classes, -np.inf)
    every[fitted.classes_], biases[fitted.classes_] = weight, bias
    return Linear(every, biases)


def quantile_regression(x: Matrix, y: Matrix, levels: Sequence[float], weight: Matrix | None = None) -> Linear:
    """Features (N, F) and values (N, T) to their quantiles (N, levels · T), all values of the lowest level first."""
    from sklearn.linear_model import QuantileRegressor

    fits = [
        QuantileRegressor(quantile=level, alpha=0.0).fit(x, column, sample_weight=weight)
        for level in levels
        for column in y.T
    ]
    return Linear(np.stack([fit.coef_ for fit in fits]), np.array([fit.intercept_ for fit in fits]))


def one_vs_rest(x: Matrix, y: NDArray[np.int64], weight: Matrix | None = None, c: float = 1.0) -> Linear:
    """Features (N, F) and labels (N, K) to logits (N, K), of one logistic regression for each label.

    `weight` (N,) is that of each row; `c` is the inverse of the penalty on the weights. A label that all samples have,
    or none, gets a probability of 1 or 0.
    """
    weights, bias = np.zeros((y.shape[1], x.shape[1])), np.where(y[0], np.inf, -np.inf)
    for label in np.flatnonzero((y != y[:1]).any(axis=0)):
        fitted = logistic_regression(x, y[:, label], 2, None, weight, c)
        weights[label], bias[label] = fitted.weight[0], fitted.bias[0]
    return Linear(weights, bias)


def ridge_regression(x: Matrix, y: Matrix, weight: Matrix | None = None) -> Linear:
    """Features (N, F) and standardised values (N, T) to standardised values; `weight` (N,) is that of each row."""
    from sklearn.linear_model import Ridge

    fitted = Ridge(alpha=1.0).fit(x, y, sample_weight=weight)
    return Linear(np.atleast_2d(fitted.coef_), np.atleast_1d(fitted.intercept_))
