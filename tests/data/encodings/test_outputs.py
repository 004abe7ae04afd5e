"""What a model predicts in the user's terms: which class or label is said, and the columns of the table."""

import numpy as np
import pytest

from lab.data.encodings.outputs import Output, decided, named_outputs, value_columns


def said(
    task: str, probabilities: list[list[float]], thresholds: tuple[float, ...] = ()
) -> list[int] | list[list[int]]:
    names = [f"c{number}" for number in range(len(probabilities[0]))]
    return decided(np.array(probabilities, np.float32), Output(task, names, (), thresholds)).tolist()


def test_the_likeliest_class_is_said() -> None:
    assert said("classification", [[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]) == [1, 0]


def test_the_second_of_two_classes_is_said_above_its_threshold_and_not_at_it() -> None:
    threshold = float(np.float32(0.3))
    assert said("classification", [[0.7, 0.3], [0.69, 0.31], [0.1, 0.9]], (threshold,)) == [0, 1, 1]


def test_of_ordered_classes_the_median_is_said() -> None:
    assert said("ordinal", [[0.4, 0.1, 0.5], [0.5, 0.1, 0.4], [0.1, 0.3, 0.6], [0.3, 0.3, 0.4]]) == [1, 0, 2, 1]


@pytest.mark.parametrize(("thresholds", "expected"), [((), [0, 0, 1]), ((0.2, 0.5, 0.9), [1, 0, 0])])
def test_each_label_is_said_above_its_threshold(thresholds: tuple[float, ...], expected: list[int]) -> None:
    assert said("multilabel", [[0.4, 0.5, 0.6]], thresholds) == [expected]


def test_classes_come_with_their_probabilities() -> None:
    table = named_outputs(np.array([[0.25, 0.75]], np.float32), Output("classification", ("no", "yes"), ()))
    assert table.to_dict("list") == {
        "prediction": ["yes"],
        "probability of no": [0.25],
        "probability of yes": [0.75],
    }


@pytest.mark.parametrize(
    ("names", "expected"), [(("a", "b", "c"), ["a;c", ""]), (("a;b", "b", "c"), ['["a;b", "c"]', ""])]
)
def test_labels_are_joined_in_a_cell_and_each_has_columns(names: tuple[str, ...], expected: list[str]) -> None:
    outputs = np.array([[0.75, 0.25, 1.0], [0.0, 0.5, 0.25]], np.float32)
    table = named_outputs(outputs, Output("multilabel", names, ()))
    assert table["prediction"].tolist() == expected
    assert table[f"prediction of {names[0]}"].tolist() == [1, 0]
    assert table["prediction of b"].tolist() == [0, 0]
    assert table["probability of c"].tolist() == [1.0, 0.25]


def test_values_have_a_column_for_each_band_and_target() -> None:
    assert value_columns(["y"], ["lower", "upper"]) == ["prediction", "lower", "upper"]
    assert value_columns([], []) == ["prediction"]
    both = ["prediction of a", "prediction of b", "lower of a", "lower of b"]
    assert value_columns(["a", "b"], ["lower"]) == both
    table = named_outputs(np.array([[1, 2, 3, 4]], np.float32), Output("regression", (), ("a", "b"), (), ("lower",)))
    assert table.to_dict("list") == dict(zip(both, [[1], [2], [3], [4]], strict=True))


@pytest.mark.parametrize("task", ["regression", "multilabel"])
def test_no_output_is_left_out_where_the_names_are_not_as_many(task: str) -> None:
    labels, targets = (("a",), ()) if task == "multilabel" else ((), ("a",))
    with pytest.raises(ValueError, match=r"zip\(\) argument 2"):
        named_outputs(np.zeros((1, 2), np.float32), Output(task, labels, targets))
