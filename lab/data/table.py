"""Tables from CSV or Parquet files: numbers, categories and dates, with missing values."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import EmbeddedColumns, SampleDataModule, Samples, Sizes
from lab.data.encodings.table import TableEncoding
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import column_types, table_files, targets

EXAMPLE_ROWS = 4


class Table(SampleDataModule):
    """Rows (N, F), to the classes or the value in the column `target`.

    `path` is relative to the working directory. `drop` lists columns to ignore, `keep` columns that look like
    identifiers but are features, `categorical` numeric columns to treat as categories. A categorical column is
    one-hot encoded up to 10 categories and embedded above that, unless `categories` says otherwise.
    """

    encoding: TableEncoding
    example: pd.DataFrame  # the first raw rows

    def __init__(
        self,
        path: str,
        target: str,
        task: targets.TaskChoice = "auto",
        drop: list[str] | tuple[str, ...] = (),
        keep: list[str] | tuple[str, ...] = (),
        categorical: list[str] | tuple[str, ...] = (),
        categories: column_types.CategoryChoice = "auto",
        separator: table_files.Separator = "auto",
        text_encoding: str = "auto",
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, num_workers, seed)
        self.path = path
        self.target = target
        self.chosen_task = task
        self.drop = drop
        self.keep = keep
        self.categorical = categorical
        self.categories = categories
        self.separator = separator
        self.text_encoding = text_encoding

    def read(self) -> Samples:
        """All rows, without the target."""
        frame = table_files.read_table(self.path, self.separator, self.text_encoding)
        column_types.check_names([self.target], frame, "data.target")
        for setting in ("drop", "keep", "categorical"):
            column_types.check_names(getattr(self, setting), frame, f"data.{setting}")
        found = targets.resolve(frame[self.target], self.chosen_task, f"column '{self.target}'")
        self.notes.append(("task", targets.describe(found)))
        self.example = frame.head(EXAMPLE_ROWS)
        frame = frame.drop(columns=[self.target, *self.drop])
        return Samples(
            frame,
            found.values,
            class_names=found.class_names,
            target_names=() if found.class_names else (self.target,),
            fingerprint=file_fingerprint(self.path),
        )

    def encode(self, raw: pd.DataFrame, train: NDArray[np.int64]) -> NDArray[np.float32]:
        """All rows as numbers (N, width); infers the type of each column."""
        findings = column_types.infer(raw, self.categorical, self.keep)
        self.notes += [("dropped", f"{f.name}: {f.why}") for f in findings if f.dropped]
        self.encoding = column_types.fit(raw, findings, train, self.categories)
        return self.encoding.encode(raw)

    def scale(self, x: NDArray[np.float32], train: NDArray[np.int64]) -> Scale:
        """Statistics of every column; category codes are not scaled."""
        scale = super().scale(x, train)
        codes = list(self.encoding.embedded())
        scale.mean[codes], scale.std[codes] = 0.0, 1.0
        return scale

    def _prepare(self) -> None:
        super()._prepare()
        self.input_adapter = EmbeddedColumns(len(self.encoding.names()), self.encoding.embedded())
        self.sizes = Sizes((self.input_adapter.width,), self.sizes.out_features, self.sizes.classes)
