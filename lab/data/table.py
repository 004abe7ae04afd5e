"""Tables from CSV or Parquet files: numbers, categories, dates and texts, with missing values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lab.config.types import Count, Fraction, PositiveInt
from lab.data import sample_weights
from lab.data.base import SampleDataModule, Samples
from lab.data.encodings.cells import NO_NUMBER, NumberFormat, known, numbers
from lab.data.encodings.table import TableEncoding
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import column_types, number_formats, table_files, table_rows
from lab.data.reading.settings import Reading, Separator, marks_of
from lab.data.reading.targets import targets
from lab.data.reading.times import dates
from lab.data.sizes import EmbeddedColumns
from lab.data.splitting.split_columns import TableSplits
from lab.data.text import columns
from lab.display.numbers import counted
from lab.errors import LabError

EXAMPLE_ROWS = 4


class Table(SampleDataModule):
    """Rows (N, F), to the classes or the value in the column `target`, or to the values of several such columns.

    With `task: multilabel` the targets are columns of 0 and 1 (or yes and no), or one column of lists, whose
    `label_separator` is found. With `task: ordinal` the target is numbers, or names in the `order` given.

    `path` is relative to the working directory. `drop` lists columns to ignore, `keep` columns that look like
    identifiers but are features, `categorical` numeric columns to treat as categories. A categorical column is
    one-hot encoded up to 10 categories and embedded above that, unless `categories` says otherwise. With `scaling:
    robust` numbers are relative to median and interquartile range, not to mean and deviation. Of the columns of
    `text`, words, pairs of words and n-grams are embedded, and their mean is an input beside the others.

    Rows with the same value in the column `group`, such as a patient's, are on one side of every split; with
    `order_by`, such as a date, the last rows are the test; `split` is a column that says train, val or test;
    `test_path` and `val_path` are files of their own for these. The column `weight` says how many times a row counts
    in the loss and in every metric; it is no feature.

    How the file is read is inferred: `separator`, `text_encoding`, `decimal` and `thousands` are its marks, `missing`
    lists what stands for a missing value, `skip_rows` lines are above the header, `date_format` is one of strptime
    for dates that can be read in several ways. Rows without a target are refused, or left out with
    `missing_target: skip`.
    """

    encoding: TableEncoding
    example: pd.DataFrame  # the first raw rows
    row_numbers: NDArray[np.int64]  # of each sample in its file, from 1

    def __init__(
        self,
        path: str,
        target: str | list[str],
        task: targets.TaskChoice = "auto",
        order: list[str | int | float] | None = None,
        label_separator: str | None = None,
        drop: list[str] | tuple[str, ...] = (),
        keep: list[str] | tuple[str, ...] = (),
        categorical: list[str] | tuple[str, ...] = (),
        categories: column_types.CategoryChoice = "auto",
        scaling: Literal["standard", "robust"] = "standard",
        text: list[str] | tuple[str, ...] = (),
        group: str | None = None,
        order_by: str | None = None,
        split: str | None = None,
        weight: str | None = None,
        test_path: str | None = None,
        val_path: str | None = None,
        separator: Separator = "auto",
        text_encoding: str = "auto",
        decimal: number_formats.Decimal = "auto",
        thousands: number_formats.Thousands = "auto",
        missing: list[str | int | float | None] | None = None,
        date_format: str | None = None,
        missing_target: Literal["refuse", "skip"] = "refuse",
        skip_rows: Count | None = None,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, num_workers, seed)
        self.path = path
        self.predicted = [target] if isinstance(target, str) else list(dict.fromkeys(target))
        self.choice = targets.Choice(task, order, label_separator)
        self.drop = drop
        self.keep = keep
        self.categorical = categorical
        self.categories = categories
        self.scaling = scaling
        self.free_texts = text
        self.weight = weight
        self.rows = TableSplits(group, order_by, split, {"val": val_path, "test": test_path})
        self.missing = marks_of(missing)
        self.missing_target = missing_target
        if missing_target == "skip" and task == "multilabel" and len(self.predicted) == 1:
            raise LabError("data.missing_target: an empty list of labels is a sample without any; leave it out")
        self._samples: Samples | None = None
        self.date_format = None if date_format is None else dates.check(date_format)
        self.lists = self.predicted if task == "multilabel" and len(self.predicted) == 1 else []  # of labels
        texts = [*categorical, *text, *self.lists]
        self.reading = Reading(separator, text_encoding, decimal, thousands, self.missing, skip_rows, texts)
        self.reading = replace(self.reading, long_texts=bool(text))

    def read(self) -> Samples:
        """All rows, without the target; read once, and kept until they are prepared."""
        self._samples = self._samples or self._read()
        return self._samples

    def _read(self) -> Samples:
        frame, given = self._read_files()
        frame, given = self._with_target(frame, given)
        found = self._found(frame)
        self.notes.append(("task", targets.describe(found)))
        self._note_names(found)
        self.example = frame.head(EXAMPLE_ROWS)
        splits, notes = self.rows.of(frame, given, self.date_format)
        self.notes += notes
        weight = self._weight(frame)
        return Samples(
            frame.drop(columns=[*self.predicted, *self.drop, *self._not_inputs()]),
            found.values,
            class_names=found.class_names,
            target_names=() if found.class_names else tuple(self.predicted),
            ordered=found.ordered,
            fingerprint=file_fingerprint(self.path, *self.rows.paths()),
            weight=weight,
            **splits,
        )

    def _read_files(self) -> tuple[pd.DataFrame, NDArray[np.str_]]:
        """All rows that are samples, and the split that each is given for, "" for those of the main file."""
        file = table_files.read(self.path, self.reading)
        frame, notes = table_rows.samples_of(file.frame)
        self.notes += [*file.notes, *notes]
        frame = self._checked(frame)
        self.settings = column_types.Settings(
            self.categorical,
            self.keep,
            self.free_texts,
            number_formats.Choice(self.reading.decimal, self.reading.thousands, file.usual_marks()),
            self.missing,
            file.decimal,
            self.date_format,
        )
        frame, given, notes = self.rows.with_files(frame, self.reading, self.path)
        self.notes += notes
        self.row_numbers, frame = frame.index.to_numpy() + 1, frame.reset_index(drop=True)
        self.formats = column_types.number_formats_of(frame.drop(columns=[*self.drop, *self.lists]), self.settings)
        return frame, given

    def _checked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns that are used; raises LabError for a setting that names no column."""
        if not self.predicted:
            raise LabError("data.target: names no column; which one is to be predicted?")
        column_types.check_names(self.predicted, frame, "data.target")
        for setting in ("drop", "keep", "categorical"):
            column_types.check_names(getattr(self, setting), frame, f"data.{setting}")
            for name in self.predicted:
                if name in getattr(self, setting):
                    raise LabError(f"data.{setting}: '{name}' is the target; leave it out of the list")
        for setting, name in self.rows.columns.items():
            column_types.check_names([name], frame, f"data.{setting}")
        uses = {"target": self.predicted, **{setting: [column] for setting, column in self.rows.columns.items()}}
        uses |= {setting: list(getattr(self, setting)) for setting in ("drop", "keep", "categorical")}
        if self.weight is not None:
            _check_single_use("weight", self.weight, frame, uses | {"text": list(self.free_texts)})
        for name in self.free_texts:
            _check_single_use("text", name, frame, uses)
            columns.check(frame[name])
            if list(self.free_texts).count(name) > 1:
                raise LabError(f"data.text: '{name}' is named twice; name it once")
        return frame

    def _with_target(self, frame: pd.DataFrame, given: NDArray[np.str_]) -> tuple[pd.DataFrame, NDArray[np.str_]]:
        """The rows that have a target, where those without are to be skipped."""
        if self.missing_target == "refuse" or self.lists:  # an empty list is a list
            return frame, given
        what = f"column '{self.predicted[0]}'" if len(self.predicted) == 1 else f"one of {', '.join(self.predicted)}"
        present = np.all([self._known_target(frame[name]).notna() for name in self.predicted], axis=0)
        if not present.any():
            raise LabError(f"{what} is missing in all rows")
        for split, path in self.rows.files.items():
            if path is not None and not present[given == split].any():
                raise LabError(f"{path}: {what} is missing in all rows")
        if not present.all():
            without = f"{counted(int((~present).sum()), 'row')} without {', or without '.join(self.predicted)}"
            self.notes.append(("skipped", without))
        self.row_numbers = self.row_numbers[present]
        return frame[present].reset_index(drop=True), given[present]

    def _weight(self, frame: pd.DataFrame) -> NDArray[np.float32] | None:
        """The weight of each row, if a column has them."""
        if self.weight is None:
            return None
        format = self.formats.get(self.weight, NumberFormat())
        weight = sample_weights.of_column(frame[self.weight], format, self.settings.marks)
        self.notes.append(("weight", sample_weights.described(weight, f"column '{self.weight}'")))
        return weight

    def _not_inputs(self) -> list[str]:
        """The columns that are used and are no features."""
        return list(dict.fromkeys([*self.rows.not_inputs(), *([] if self.weight is None else [self.weight])]))

    def _found(self, frame: pd.DataFrame) -> targets.Target:
        """The classes, labels or values to be predicted."""
        columns = {name: self._target(frame, name) for name in self.predicted}
        if len(columns) > 1:
            return targets.resolve_columns(columns, self.choice)
        (name, column), *_ = columns.items()
        return targets.resolve(column, self.choice, f"column '{name}'")

    def _target(self, frame: pd.DataFrame, name: str) -> pd.Series:
        """A target, as numbers where it is written as such."""
        column, format = frame[name], self.formats.get(name)
        if self.choice.task in ("classification", "multilabel"):
            return column
        if format is not None:
            return pd.Series(numbers(column, format, self.settings.marks), name=column.name)
        column = self._known_target(column)
        if column_types.is_text(column):
            column_types.refuse_mixed(column.dropna(), self.settings)
        return column

    def _known_target(self, column: pd.Series) -> pd.Series:
        """The target, missing where it is marked so, also among numbers."""
        marks = self.settings.marks
        if column.name in self.formats:
            marks = marks.among_numbers()
        column = known(column, marks)
        marked = column.isin(marks.numbers)
        return column.mask(marked) if marked.any() and not column_types.is_text(column) else column

    def _note_names(self, found: targets.Target) -> None:
        """Say that a class is called None, which may mean a missing value."""
        if found.values.ndim == 1 and (taken := [name for name in found.class_names if name in NO_NUMBER]):
            count = counted(int((found.values == found.class_names.index(taken[0])).sum()), "row")
            remedy = f"if it means a missing value, set data.missing: ['', {taken[0]}]"
            self.notes.append(("classes", f"'{taken[0]}' in {count} is taken as a class; {remedy}"))

    def encode(self, raw: pd.DataFrame, train: NDArray[np.int64]) -> NDArray[np.float32]:
        """All rows as numbers (N, width); infers the type of each column."""
        findings = column_types.infer(raw, self.formats, self.settings)
        self.notes += [("dropped", f"{f.name}: {f.why}") for f in findings if f.dropped]
        self.notes += [("dates", f"'{f.name}' {note}") for f in findings for note in f.notes]
        self._check_date_format(findings)
        self.encoding = column_types.fit(
            raw, findings, train, self.categories, self.missing, self.reading.text_encoding
        )
        return self.encoding.encode(raw)

    def _check_date_format(self, findings: list[column_types.Finding]) -> None:
        """Raise LabError for a format in which no column is read."""
        chosen = self.date_format
        if chosen and self.rows.order_by not in self.drop and all(finding.format != chosen for finding in findings):
            raise LabError(f"data.date_format: no column has dates such as {dates.example(chosen)} in all cells")

    def scale(self, x: NDArray[np.float32], train: NDArray[np.int64]) -> Scale:
        """Statistics of every column; category codes and tokens are not scaled."""
        scale = super().scale(x, train)
        if self.scaling == "robust":
            measured = self.encoding.numbers()
            robust = Scale.fit_robust(torch.from_numpy(x[train][:, measured]))
            scale.mean[measured], scale.std[measured] = robust.mean, robust.std
        tokens = [index for first, end in self.encoding.texts() for index in range(first, end)]
        codes = [*self.encoding.embedded(), *tokens]
        scale.mean[codes], scale.std[codes] = 0.0, 1.0
        return scale

    def _prepare(self) -> None:
        super()._prepare()
        self._samples = None
        texts = {place: (tokens, columns.WIDTH) for place, tokens in self.encoding.texts().items()}
        self.input_adapter = EmbeddedColumns(len(self.encoding.names()), self.encoding.embedded(), texts)
        plain = [index for index in range(self.input_adapter.columns) if index not in self.input_adapter.replaced()]
        numbers = tuple(plain.index(index) for index in self.encoding.numbers())
        self.sizes = replace(self.sizes, input_shape=(self.input_adapter.width,), number_columns=numbers)


def _check_single_use(setting: str, name: str, frame: pd.DataFrame, uses: Mapping[str, Sequence[str]]) -> None:
    """Raise LabError for a name that is no column, or one that has another use."""
    column_types.check_names([name], frame, f"data.{setting}")
    if other := next((other for other, columns in uses.items() if name in columns), None):
        raise LabError(f"data.{setting}: '{name}' is named by data.{other} too; a column has one use")
