"""Files as spreadsheets write them: titles, codes, totals, notes below the table."""

from pathlib import Path

import pandas as pd
import pytest

from lab.data.encodings.table import Number, TableEncoding
from lab.data.reading.settings import Reading
from lab.data.reading.table_files import TableFile, read, read_rows
from lab.data.reading.table_rows import samples_of
from lab.errors import LabError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def file(text: str, **reading: object) -> TableFile:
    Path("rows.csv").write_text(text)
    return read("rows.csv", Reading(**reading))  # type: ignore[arg-type]


class TestHeader:
    def test_lines_above_the_names_are_skipped_and_said(self) -> None:
        found = file("Sales 2024;;\n\nprinted today;;\nname;price;stock\na;1,5;2\nb;2,5;3\n")
        assert found.frame.columns.tolist() == ["name", "price", "stock"]
        assert found.frame["price"].tolist() == [1.5, 2.5]
        assert found.notes == [("skipped", "2 lines above the header")]

    def test_their_number_can_be_set(self) -> None:
        found = file("x,y\nname,price\na,1\nb,2\n", skip_rows=1)
        assert found.frame.columns.tolist() == ["name", "price"]
        with pytest.raises(LabError, match="skip_rows: 9 leaves no line that names the columns"):
            file("a,b\n1,2\n", skip_rows=9)

    def test_a_title_with_a_separator_in_it_is_answered_with_the_setting_that_skips_it(self) -> None:
        text = "Export of the CRM;2026-11-01\nname;price;stock\na;1,5;2\n"
        with pytest.raises(LabError, match=r"line 2 has 3 fields, the header 2 .* set data.skip_rows=1$"):
            file(text)
        assert file(text, skip_rows=1).frame.columns.tolist() == ["name", "price", "stock"]

    def test_an_unnamed_first_column_is_no_title(self) -> None:
        assert file(",price,stock\n0,1,2\n1,2,3\n").frame.columns.tolist() == ["unnamed 1", "price", "stock"]


class TestRows:
    def test_notes_below_the_table_are_left_out_and_said(self) -> None:
        found = file("name,price\na,1\nb,2\nSource: the shop\n")
        assert found.frame["price"].tolist() == [1, 2]
        assert found.notes == [("skipped", "1 line with a single field")]

    def test_of_new_rows_none_is_left_out_but_notes_below_the_last(self) -> None:
        column = Number("price", 0.0, False)
        Path("new.csv").write_text("name,price\na,1\nb\nc,3\n")
        with pytest.raises(LabError, match=r"new.csv: line 3 has 1 fields, the header 2"):
            read_rows("new.csv", TableEncoding((column,)))
        Path("new.csv").write_text("name,price\na,1\nc,3\nSource: the shop\n")
        assert len(read_rows("new.csv", TableEncoding((column,)))) == 2

    @pytest.mark.parametrize("total", ["Total;6,0;9", "Summe:;2,0;9"])
    def test_a_total_at_the_end_is_no_sample(self, total: str) -> None:
        frame, notes = samples_of(file(f"name;price;stock\na;1,0;2\nb;2,0;3\nc;3,0;4\n{total}\n").frame)
        assert frame["price"].tolist() == [1, 2, 3]
        assert notes[0][1].startswith("the last row, '")

    def test_a_total_in_a_column_of_numbers_leaves_numbers(self) -> None:
        frame, _ = samples_of(file("year,price\n2001,1\n2002,2\n2003,4\nTotal,7\n").frame)
        assert frame["year"].tolist() == [2001, 2002, 2003]

    def test_a_row_that_is_called_total_and_sums_up_nothing_stays(self) -> None:
        frame, notes = samples_of(file("name,price\na,1\nb,2\nc,3\nTotal,5\n").frame)
        assert (len(frame), notes) == (4, [])

    def test_empty_rows_are_left_out(self) -> None:
        frame, notes = samples_of(file("name,price\na,1\n,\nb,2\n,\n").frame)
        assert (len(frame), notes) == (2, [("skipped", "2 empty rows")])


class TestColumns:
    def test_codes_keep_their_zeros(self) -> None:
        frame = file("zip,price\n01234,1\n99999,2\n").frame
        assert frame["zip"].tolist() == ["01234", "99999"]

    def test_codes_in_parquet_keep_their_zeros(self) -> None:
        pd.DataFrame({"zip": ["01234", "99999"], "size": ["1", "2.5"]}).to_parquet("rows.parquet")
        frame = read("rows.parquet").frame
        assert frame["zip"].tolist() == ["01234", "99999"]
        assert frame["size"].tolist() == [1, 2.5]

    def test_large_whole_numbers_keep_their_digits(self) -> None:
        frame = file("day,size\n20240131,1.5\n,2.5\n20240201,3.5\n").frame
        assert frame["day"].dropna().tolist() == [20240131, 20240201]
        assert frame["size"].dtype == "float32"

    def test_none_is_missing_among_numbers_and_a_name_among_names(self) -> None:
        frame = file("size,island\n1.5,None\nNone,Biscoe\n").frame
        assert frame["size"].isna().tolist() == [False, True]
        assert frame["island"].tolist() == ["None", "Biscoe"]

    def test_what_means_missing_can_be_set(self) -> None:
        frame = file("size,name\n-999,NA\n5,gone\n7,b\n", missing=("", "-999", "gone")).frame
        assert frame["size"].isna().tolist() == [True, False, False]
        assert frame["name"].tolist()[0] == "NA"
        assert frame["name"].isna().tolist() == [False, True, False]


class TestWhatArrowWouldMisread:
    def test_times_of_the_day_and_hexadecimal_numbers_stay_text(self) -> None:
        frame = file("time,code,x\n" + "12:30,0x1A,1\n08:15:20,0xFF,2\n" * 20).frame
        assert frame["time"].iloc[0] == "12:30"
        assert frame["code"].iloc[0] == "0x1A"

    def test_unix_time_keeps_its_fractions(self) -> None:
        assert file("t,x\n1614906123.25,1\n1614906124.25,2\n").frame["t"].iloc[0] == 1614906123.25

    def test_lines_may_end_as_on_an_old_macintosh(self) -> None:
        assert file("a,b\r1,2\r3,4\r").frame["b"].tolist() == [2, 4]

    def test_a_cell_beyond_measure_is_refused_in_one_line(self) -> None:
        with pytest.raises(LabError, match="cannot be read as CSV: field larger"):
            file('a,b\n1,"' + "x" * 200_000)

    def test_a_quotation_mark_that_is_not_closed_is_named(self) -> None:
        with pytest.raises(LabError, match="line 3 opens a quotation mark that is not closed"):
            file('a,b\nx,1\n"y,2\n' + "z,3\n" * 50)
        assert len(file('a,b\nx,1\ny,"2\n3"\n').frame) == 2
        assert len(file('a,b\n5",1\nx,2\n').frame) == 2
