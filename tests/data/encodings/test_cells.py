"""Cells as numbers and as names, whatever type they have."""

import numpy as np
import pandas as pd
import pytest

from lab.data.encodings.cells import Marks, NumberFormat, are_plain_numbers, known, may_be_numbers, names, numbers
from lab.errors import LabError


def column(*cells: object) -> pd.Series:
    return pd.Series(cells, name="x", dtype=object)


class TestNumbers:
    def test_cells_of_every_type(self) -> None:
        cells = column("1.5", 2, 3.5, True, np.float32(4.5), None, np.nan, " ", "n/a", "None")
        assert numbers(cells).tolist()[:5] == [1.5, 2, 3.5, 1, 4.5]
        assert np.isnan(numbers(cells)[5:]).all()

    def test_nullable_columns(self) -> None:
        found = numbers(pd.Series([1, None], dtype="Int64"))
        assert found.tolist()[0] == 1
        assert np.isnan(found[1])

    def test_a_number_that_marks_missing_values_is_missing_in_every_type(self) -> None:
        marks = Marks.of(["", "-999"])
        for cells in (column("-999", "5"), column(-999, 5), pd.Series([-999.0, 5.0]), pd.Series([-999, 5])):
            found = numbers(cells, marks=marks)
            assert np.isnan(found[0])
            assert found[1] == 5

    def test_with_marks_of_ones_own_the_usual_ones_are_text(self) -> None:
        with pytest.raises(LabError, match="column 'x', row 1: 'NA' is not a number"):
            numbers(column("NA", "5"), marks=Marks.of([""]))

    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            (("1", "a"), "column 'x', row 2: 'a' is not a number; correct it or leave the cell empty"),
            (("a", "b"), "column 'x', row 1: 'a' is not a number (and 1 more); correct it or leave the cell empty"),
            (("a", "1", "b", "c"), "column 'x', row 1: 'a' is not a number (and 2 more); correct it or leave the cell"),
        ],
    )
    def test_the_first_row_that_is_no_number_is_named_and_the_others_are_counted(
        self, cells: tuple[str, ...], message: str
    ) -> None:
        with pytest.raises(LabError) as refused:
            numbers(column(*cells))
        assert str(refused.value).startswith(message)

    def test_a_format_is_named_where_a_cell_is_not_in_it(self) -> None:
        with pytest.raises(LabError, match=r"row 2: '4.7' is not a number such as 1\.234,5"):
            numbers(column("1.000,5", "4.7"), NumberFormat(",", "."))

    def test_thousands_are_separated_by_any_kind_of_space(self) -> None:
        cells = column("1 234 567", "1\u00a0234", "1\u202f234,5", "12")
        assert numbers(cells, NumberFormat(",", " ")).tolist() == [1234567, 1234, 1234.5, 12]

    def test_spaces_around_units_and_within_other_formats_do_not_count(self) -> None:
        assert numbers(column("$ 1,000", "$5"), NumberFormat(".", ",", ("$",))).tolist() == [1000, 5]


class TestNames:
    def test_cells_of_every_type(self) -> None:
        day, moment = pd.Timestamp("2024-01-31"), pd.Timestamp("2024-01-31 12:30")
        cells = column(" Oslo ", 2, 2.0, 2.5, True, np.int64(7), day, moment, None, "", "NA", "None")
        assert names(cells, numeric=False).tolist() == [
            *("Oslo", "2", "2", "2.5", "True", "7", "2024-01-31", "2024-01-31 12:30:00"),
            *(None, None, None, "None"),
        ]

    def test_text_of_numbers_is_one_name_with_the_number_where_all_names_are_numbers(self) -> None:
        cells = column("2", "2.0", 2, "2e0", "002", "0.10", 0.1)
        assert names(cells, numeric=True).tolist() == ["2", "2", "2", "2", "002", "0.1", "0.1"]
        assert names(cells, numeric=False).tolist() == ["2", "2.0", "2", "2e0", "002", "0.10", "0.1"]

    def test_a_number_that_marks_missing_values_is_no_name(self) -> None:
        marks = Marks.of(["", "-999"])
        assert names(column(-999, "-999", 5), numeric=True, marks=marks).tolist() == [None, None, "5"]

    def test_large_numbers_keep_their_digits(self) -> None:
        assert names(pd.Series([12345678901, 12345678902]), numeric=True).tolist() == ["12345678901", "12345678902"]

    def test_the_index_and_the_name_of_the_column_stay(self) -> None:
        found = names(pd.Series(["a", "b"], index=[5, 9], name="city"), numeric=False)
        assert found.index.tolist() == [5, 9]
        assert found.name == "city"


def test_known_strips_texts_and_leaves_numbers() -> None:
    assert known(column(" a ", 5, "?", None)).tolist() == ["a", 5, None, None]
    values = pd.Series([1.0, 2.0])
    assert known(values) is values


@pytest.mark.parametrize(
    ("texts", "plain", "some"),
    [(["1", "2.5"], True, True), (["1", "Oslo"], False, True), (["01", "2"], False, False), (["a"], False, False)],
)
def test_which_texts_are_numbers(texts: list[str], plain: bool, some: bool) -> None:
    assert are_plain_numbers(texts) is plain
    assert may_be_numbers(texts) is some
