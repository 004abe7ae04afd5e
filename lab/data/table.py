"""A table of one's own: CSV or Parquet, numbers, names and dates, some of them missing."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from lab.architectures.layers import Embedded
from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import SampleDataModule, Samples, Sizes
from lab.data.encodings.table import TableEncoding
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import columns, table_files, targets

EXAMPLE_ROWS = 4


class Table(SampleDataModule):
    """Rows (N, F), and classes or one value to predict from the column `target`.

    `path` is looked up from the folder where one works. `drop` names columns to leave out, `keep` those that look
    like identifiers and are none, `categorical` those whose numbers are names. Up to 10 values of a categorical
    column get an input each, more are embedded, unless `categories` says otherwise.
    """

    encoding: TableEncoding
    example: pd.DataFrame  # the first rows, raw

    def __init__(
        self,
        path: str,
        target: str,
        task: targets.TaskChoice = "auto",
        drop: list[str] | tuple[str, ...] = (),
        keep: list[str] | tuple[str, ...] = (),
        categorical: list[str] | tuple[str, ...] = (),
        categories: columns.CategoryChoice = "auto",
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
        """All rows, the target apart."""
        frame = table_files.read_table(self.path, self.separator, self.text_encoding)
        columns.check_names([self.target], frame, "data.target")
        for setting in ("drop", "keep", "categorical"):
            columns.check_names(getattr(self, setting), frame, f"data.{setting}")
        found = targets.resolve(frame[self.target], self.chosen_task, f"column '{self.target}'")
        self.notes.append(("task", targets.in_words(found)))
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
        """All rows as numbers (N, width); what the columns are is found out on the way."""
        findings = columns.look(raw, self.categorical, self.keep)
        self.notes += [("dropped", f"{f.name}: {f.why}") for f in findings if f.dropped]
        self.encoding = columns.fit(raw, findings, train, self.categories)
        return self.encoding.encode(raw)

    def scale(self, x: NDArray[np.float32], train: NDArray[np.int64]) -> Scale:
        """Statistics of every column; the numbers of embedded values stay as they are."""
        scale = super().scale(x, train)
        places = list(self.encoding.embedded())
        scale.mean[places], scale.std[places] = 0.0, 1.0
        return scale

    def _prepare(self) -> None:
        super()._prepare()
        width = Embedded.width(self.sizes.input_shape[0], self.encoding.embedded())
        self.sizes = Sizes((width,), self.sizes.out_features, self.sizes.classes)

    def wrap(self, architecture: nn.Module) -> nn.Module:
        """The architecture behind embeddings of the categorical columns."""
        return Embedded(architecture, len(self.encoding.names()), self.encoding.embedded())
