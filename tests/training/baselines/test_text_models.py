"""The quick baseline of texts against a pipeline of scikit-learn."""

import numpy as np
import pytest
from made_texts import reviews
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from lab.data.encodings.text import words_of
from lab.training.baselines.text_models import TfIdf

ROWS = reviews(120)
TRAIN, TEST = ROWS.iloc[:80], ROWS.iloc[80:]


def terms() -> TfidfVectorizer:
    return TfidfVectorizer(
        tokenizer=words_of, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True
    )


@pytest.mark.parametrize("column", ["label", "length"])
def test_classes_are_those_of_a_logistic_regression(column: str) -> None:
    rows = ROWS.assign(length=ROWS["review"].str.split().str.len() // 8)
    y = rows[column].astype("category").cat.codes.to_numpy(dtype=np.int64)
    classes = len(np.unique(y))
    plain = make_pipeline(terms(), LogisticRegression(C=10, max_iter=100, random_state=0)).fit(TRAIN["review"], y[:80])
    found = TfIdf(list(TRAIN["review"]), y[:80], classes)(list(TEST["review"])).numpy()
    expected = plain.decision_function(TEST["review"])
    np.testing.assert_allclose(found[:, 0] if classes == 2 else found, expected, atol=1e-6)


def test_labels_are_those_of_one_logistic_regression_each() -> None:
    y = np.stack([ROWS["stars"] > 2, (2 * ROWS["stars"]).astype(int) % 2 == 0], axis=1).astype(np.int64)
    weight = np.linspace(0.5, 2, 80)
    found = TfIdf(list(TRAIN["review"]), y[:80], 2, weight=weight)(list(TEST["review"])).numpy()
    for label in range(2):
        of_label = LogisticRegression(C=10, max_iter=100, random_state=0)
        plain = make_pipeline(terms(), of_label).fit(
            TRAIN["review"], y[:80, label], logisticregression__sample_weight=weight
        )
        np.testing.assert_allclose(found[:, label], plain.decision_function(TEST["review"]), atol=1e-6)


def test_values_are_those_of_a_ridge_regression() -> None:
    y = TRAIN[["stars"]].to_numpy()
    plain = make_pipeline(terms(), Ridge(alpha=1.0, tol=1e-8)).fit(TRAIN["review"], y)
    found = TfIdf(list(TRAIN["review"]), y, 0)(list(TEST["review"])).numpy()
    np.testing.assert_allclose(found, plain.predict(TEST["review"]).reshape(-1, 1), rtol=1e-3)
