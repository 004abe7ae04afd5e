"""`lab new` proposes the split that a table calls for, and says why."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.scaffold.inspection import Inspection, inspect

RANDOM = np.random.default_rng(0)
COUNT = 240
Y = RANDOM.choice(["a", "b"], COUNT)
SIZE = RANDOM.normal(size=COUNT).round(3)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def inspected(path: str = "rows.csv", given: dict[str, object] | None = None, **columns: object) -> Inspection:
    pd.DataFrame({"size": SIZE, **columns, "y": columns.get("y", Y)}).to_csv(path, index=False)
    return inspect(path, "y", "table", given or {})


def facts(found: Inspection, about: str = "split") -> list[str]:
    return [text for label, text in found.facts if label == about]


PATIENTS = RANDOM.permutation(np.repeat(np.arange(30) + 1000, 8))


@pytest.mark.parametrize("name", ["patient_id", "subject", "individual", "customer", "userId", "Store"])
def test_identifiers_that_repeat_keep_their_rows_together(name: str) -> None:
    found = inspected(**{name: PATIENTS})
    assert found.settings["group"] == name
    (why,) = facts(found)
    assert why.startswith(f"'{name}' has 30 values in 240 rows: no value is on two sides")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("height", PATIENTS),  # nothing says that it is an identifier
        ("patient_id", SIZE),  # measured
        ("customer", RANDOM.choice(["0,5", "1,0", *(f"{number},5" for number in range(1, 20))], COUNT)),  # so too
        ("sample_weight", np.round(RANDOM.integers(1, 15, COUNT) / 4, 2)),
        ("weight", RANDOM.integers(1, 15, COUNT)),
        ("patient_id", np.arange(COUNT)),  # no value repeats
        ("patient_id", RANDOM.integers(0, 3, COUNT)),  # three are no patients
    ],
)
def test_neither_a_name_nor_values_alone_make_an_identifier(name: str, values: object) -> None:
    assert "group" not in inspected(**{name: values}).settings


class TestTime:
    DAYS = pd.date_range("2020-01-01", periods=COUNT).strftime("%d.%m.%Y")

    def test_rows_in_order_of_time_are_tested_on_the_last_ones(self) -> None:
        found = inspected(day=self.DAYS)
        assert found.settings["order_by"] == "day"
        assert facts(found)[0].startswith("the rows are in order of 'day': the test is on the last ones")

    def test_dates_in_any_order_are_only_pointed_out(self) -> None:
        found = inspected(born=RANDOM.permutation(self.DAYS))
        assert "order_by" not in found.settings
        (hint,) = facts(found)
        assert hint == "at random; set data.order_by: born if you will predict for later rows than you train on"

    def test_a_table_that_is_sorted_by_its_classes_is_split_at_random(self) -> None:
        found = inspected(day=self.DAYS, y=np.repeat(["a", "b"], COUNT // 2))
        assert "order_by" not in found.settings


def test_a_column_that_says_the_split_is_used() -> None:
    found = inspected(part=RANDOM.choice(["train", "test"], COUNT))
    assert found.settings["split"] == "part"


class TestFilesBesideIt:
    def write(self, name: str, *columns: str) -> None:
        pd.DataFrame({"size": SIZE[:40], "y": Y[:40]})[list(columns)].to_csv(name, index=False)

    def test_test_and_validation_files_are_used(self) -> None:
        self.write("shop_test.csv", "size", "y")
        self.write("shop_val.csv", "size", "y")
        found = inspected("shop_train.csv")
        assert found.settings["test_path"] == "shop_test.csv"
        assert found.settings["val_path"] == "shop_val.csv"
        assert facts(found) == ["shop_test.csv and shop_val.csv lie beside shop_train.csv"]

    def test_a_file_without_the_target_is_none(self) -> None:
        self.write("test.csv", "size")
        assert "test_path" not in inspected("train.csv").settings

    def test_another_name_has_none_beside_it(self) -> None:
        self.write("test.csv", "size", "y")
        assert "test_path" not in inspected("rows.csv").settings


def test_what_the_user_sets_is_kept() -> None:
    found = inspected(given={"order_by": "day"}, patient=PATIENTS, day=RANDOM.permutation(TestTime.DAYS))
    assert "group" not in found.settings
    assert facts(found) == ["by 'day': the last rows are the test, those before them validation"]


class TestWarnings:
    def warned(self, **columns: object) -> str:
        return "\n".join(inspected(**columns).warnings)

    def test_numbers_that_mark_missing_values(self) -> None:
        marked = np.where(RANDOM.random(COUNT) < 0.05, -999, RANDOM.uniform(0, 100, COUNT).round(1))
        assert f"column 'age' is -999 in {(marked == -999).sum()} rows, far from all others" in self.warned(age=marked)

    def test_numbers_near_the_others_are_none(self) -> None:
        assert "far from all others" not in self.warned(
            age=RANDOM.integers(0, 100, COUNT), flag=RANDOM.integers(-1, 2, COUNT)
        )

    def test_classes_that_differ_in_case_or_spaces_alone(self) -> None:
        said = self.warned(y=RANDOM.choice(["Yes", "yes", "no"], COUNT))
        assert "classes 'Yes' and 'yes' differ in case or spaces alone" in said

    def test_values_of_a_column_that_differ_in_case_or_spaces_alone(self) -> None:
        said = self.warned(region=RANDOM.choice(["West", "west", "north"], COUNT))
        assert "'region': 'West' and 'west' differ in case or spaces alone" in said

    def test_test_rows_that_are_training_rows(self) -> None:
        twice = np.tile(RANDOM.normal(size=COUNT // 2).round(4), 2)
        assert "test rows have the inputs of a training row" in self.warned(size=twice)
        assert "test rows have" not in self.warned(other=RANDOM.normal(size=COUNT))
        assert "test rows have" not in self.warned(size=RANDOM.integers(0, 9, COUNT))  # alike by chance
