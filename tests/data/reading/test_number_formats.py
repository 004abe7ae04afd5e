"""Numbers as people and spreadsheets write them."""

import numpy as np
import pandas as pd
import pytest

from lab.data.encodings.cells import NumberFormat
from lab.data.reading.number_formats import Choice, of_columns, possible, proves_thousands
from lab.errors import LabError

COMMA_FILE = Choice(usual=(".", ","))
SEMICOLON_FILE = Choice(usual=None)


def texts(*cells: str, name: str = "x") -> pd.Series:
    return pd.Series(cells, name=name, dtype=object)


def read(*cells: str, choice: Choice = COMMA_FILE) -> list[float]:
    """The numbers that the cells are read as; [] where they are none."""
    column = texts(*cells)
    format = of_columns([column], choice).get("x")
    return [] if format is None else format.parse(column).tolist()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["$1,000", "$12.50"], [1000, 12.5]),
        (["12 %", "3.5 %", "7%"], [12, 3.5, 7]),
        (["1 234,50 €", "-5,00 €"], [1234.5, -5]),
        (["1\u00a0234,5", "2\u202f345,0"], [1234.5, 2345]),
        (["(1,234.50)", "7.00"], [-1234.5, 7]),
        (["1'234.5", "9"], [1234.5, 9]),
        (["€ 1.000,00", "€ 20,50"], [1000, 20.5]),
        (["-$5.20", "$-3", "5-", "\u22125"], [-5.2, -3, -5, -5]),
        (["1,23,456", "2,345"], [123456, 2345]),
        (["1.234.567", "3"], [1234567, 3]),
        (["EUR 5", "3.50 EUR"], [5, 3.5]),
        (["12kg", "3 kg"], [12, 3]),
        (["1e-5", "2.5E3"], [1e-5, 2500]),
        (["1,5", "2,25"], [1.5, 2.25]),
        ([".5", "1.25"], [0.5, 1.25]),
        (["\u22121.5", "2.5"], [-1.5, 2.5]),
        (["$ (1,234.50)", "$(5.00)", " $ 7.00 ", "$ -2.00"], [-1234.5, -5, 7, -2]),
        (["1\u2019234.50", "12\u2019000.00"], [1234.5, 12000]),
        (["1,234E+01", "5,6E-02"], [12.34, 0.056]),
        (["0,512", "1,234"], [0.512, 1.234]),
    ],
)
def test_numbers_are_read_as_they_are_meant(cells: list[str], expected: list[float]) -> None:
    assert read(*cells) == expected
    assert read(*cells, choice=SEMICOLON_FILE) == expected


@pytest.mark.parametrize(
    "cells",
    [
        *(["a1", "b2"], ["A01", "A02"], ["001", "002"], ["Q1", "Q2"], ["#5", "#6"], ["5!", "6!"], ["12:30", "13:15"]),
        *(["2024-01-02", "2024-01-03"], ["01.02.2024", "03.04.2024"], ["12 kg", "3 lb"], ["1.2.3", "1.2.4"], ["", "5"]),
        *(["4111 1111 1111 1111", "5500 0000 0000 0004"], ["030 123 456", "040 765 432"], ["555 1234", "555 9876"]),
    ],
)
def test_names_codes_and_dates_are_no_numbers(cells: list[str]) -> None:
    assert read(*cells) == []


@pytest.mark.parametrize("cells", [["$5", "€6"], ["12%", "0.5"], ["5 kr", "6 EUR"]])
def test_numbers_of_different_kinds_are_not_one_column(cells: list[str]) -> None:
    assert read(*cells) == []


def test_zero_needs_no_percent_sign_and_a_dollar_may_say_its_country() -> None:
    assert read("12%", "0") == [12, 0]
    assert read("US$1,000.00", "US$2.50") == [1000, 2.5]
    assert read("R$ 1.000,00", "R$ 2,50") == [1000, 2.5]


class TestThousands:
    """4.733 may be 4733: the file proves it, or the person is asked."""

    def test_numbers_that_are_short_without_a_mark_and_end_in_zero_prove_it(self) -> None:
        assert read("4.733", "918", "5.050", choice=SEMICOLON_FILE) == [4733, 918, 5050]
        assert read("4,733", "918", "5,050", choice=SEMICOLON_FILE) == [4733, 918, 5050]

    def test_a_file_that_proves_nothing_is_asked_for(self) -> None:
        with pytest.raises(LabError) as error:
            read("4.733", "8.881", choice=SEMICOLON_FILE)
        assert str(error.value) == (
            "column 'x': the numbers can be read with '.' before decimals or with '.' between thousands; "
            'set data.decimal="." or data.thousands="."'
        )

    def test_settings_decide(self) -> None:
        assert read("4.733", "8.881", choice=Choice(thousands=".", usual=None)) == [4733, 8881]
        assert read("4.733", "8.881", choice=Choice(decimal=".", usual=None)) == [4.733, 8.881]
        assert read("4,733", "8,881", choice=Choice(thousands="none", usual=None)) == [4.733, 8.881]

    def test_in_a_comma_separated_file_a_comma_separates_thousands_and_a_point_decimals(self) -> None:
        assert read("4,733", "8,881") == [4733, 8881]
        assert read("4.733", "8.881") == [4.733, 8.881]

    def test_one_column_decides_for_the_others(self) -> None:
        open_one, proof = texts("4.733", "8.881", name="open"), texts("1.000,5", "3,25", name="proof")
        found = of_columns([open_one, proof], SEMICOLON_FILE)
        assert found["open"].parse(open_one).tolist() == [4733, 8881]

    @pytest.mark.parametrize(
        ("cells", "proof"),
        [
            (["1.234.567"], True),
            (["4.730", "950"], True),
            (["4.73", "950"], False),
            (["4.730", "9500"], False),
            (["4.733", "950"], False),
        ],
    )
    def test_proofs(self, cells: list[str], proof: bool) -> None:
        assert proves_thousands(cells, ".") is proof


class TestParsing:
    FORMAT = NumberFormat(",", ".", ("€",))

    def test_what_is_not_in_the_format_is_no_number(self) -> None:
        cells = texts("1.000,5 €", "4.7", "1,000.5", "5 $", "abc")
        assert np.isnan(self.FORMAT.parse(cells)).tolist() == [False, True, True, True, True]

    def test_the_affix_may_be_left_out(self) -> None:
        assert self.FORMAT.parse(texts("1.000", "7,5", "12")).tolist() == [1000, 7.5, 12]

    def test_words_are_numbers_where_the_column_has_booleans(self) -> None:
        assert NumberFormat(words=True).parse(texts("True", "false", "1")).tolist() == [1, 0, 1]
        assert np.isnan(NumberFormat().parse(texts("true"))).all()


def test_columns_of_nothing_known_have_no_format() -> None:
    assert possible(texts(), COMMA_FILE) == []
