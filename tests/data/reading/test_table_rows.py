"""Totals below the rows of a spreadsheet: left out, and the rows above are read as if they had not been there."""

from pathlib import Path

import pytest

from lab.config.sections import Part
from lab.data.encodings.table import Number
from lab.data.reading.number_formats import Choice, possible
from lab.data.reading.settings import Reading
from lab.data.reading.table_files import read, read_new
from lab.data.reading.table_rows import samples_of
from lab.data.table import Table

ROWS = 60
POINTS = [f"{points:,}".replace(",", ".") for points in range(700, 700 + 11 * ROWS, 11)]  # 700 .. 1.349
EUROS = [f"{1_000 + 37 * row},50 €".replace("1", "1.", 1) for row in range(9)] * 7


def written(path: Path, total: str, first: int = 10_001) -> Path:
    """A sheet in German habits, whose last line sums up."""
    lines = [f"{first + row};{POINTS[row]};{EUROS[row]};{'ja' if row % 3 else 'nein'}" for row in range(ROWS)]
    path.write_text("\n".join(["Kunden;;;", "Nr;Punkte;Umsatz;gut", *lines, total]) + "\n", encoding="utf-8")
    return path


def sum_of_euros() -> str:
    total = sum(float(cell.removesuffix(" €").replace(".", "").replace(",", ".")) for cell in EUROS[:ROWS])
    return f"{total:,.2f} €".translate(str.maketrans(".,", ",."))


@pytest.fixture(params=["total", "no total"])
def sheet(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return written(tmp_path / "rows.csv", f"Summe;;{sum_of_euros()};" if request.param == "total" else "")


def test_points_between_thousands_stay_so_when_the_total_is_gone(sheet: Path) -> None:
    data = Part("data", "table", {"path": str(sheet), "target": "gut", "batch_size": 8}).build(seed=0)
    assert isinstance(data, Table)
    data.prepare()
    columns = {column.name: column for column in data.encoding.columns}
    points = columns["Punkte"]
    assert isinstance(points, Number)
    assert points.format.thousands == "."
    assert 700 <= points.fill <= 1_349
    new, _ = samples_of(read_new(sheet, data.encoding).frame)
    assert data.encoding.encode(new)[:, list(columns).index("Punkte")].tolist() == list(range(700, 700 + 11 * ROWS, 11))


def test_points_between_thousands_count_too_where_they_first_occur_far_below(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    cells = [*range(900), *range(900), *range(900), "1.150", "1.151", "2.100"]
    path.write_text("\n".join(["a;b", *(f"{cell};x" for cell in cells)]), encoding="utf-8")
    column = read(path, Reading()).frame["a"]
    assert possible(column, Choice())[0].parse(column)[-3:].tolist() == [1_150, 1_151, 2_100]


def test_a_column_that_only_the_word_made_text_has_numbers_again(sheet: Path) -> None:
    data = Part("data", "table", {"path": str(sheet), "target": "gut", "batch_size": 8}).build(seed=0)
    data.prepare()
    assert ("dropped", "Nr: is a row number") in data.notes
