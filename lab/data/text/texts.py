"""Texts with a class or a value each: a column of a CSV or Parquet file, or one folder of .txt files per class."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import SampleDataModule, Samples, Split
from lab.data.encodings.text import PAD, Ngrams, TextEncoding, read_text, texts_of
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import class_folders, column_types, number_formats
from lab.data.reading.settings import Separator
from lab.data.reading.targets import targets
from lab.data.sequences.buckets import SequenceDataset
from lab.data.sizes import EmbeddedTokens
from lab.data.splitting import given_splits
from lab.data.table import EXAMPLE_ROWS, Table
from lab.data.text import columns, fitting
from lab.display.numbers import counted
from lab.errors import LabError

COLUMN = "text"  # what the texts of files are called among the columns of a table


class Text(Table):
    """Texts (N, L) of L tokens, to the classes or the value in the column `target`.

    `path` is a CSV or Parquet file with the texts in the column `text`; or a folder with a folder of .txt files per
    class, perhaps below `train`, `val` and `test`. Columns `group`, `order_by` and `split`, files `test_path` and
    `val_path`, the column `weight`, and how a file is read are those of a table.

    `tokenizer` is `words`: lower-cased words and signs, at most `vocabulary` (20,000) of those that the training texts
    have twice or more; `ngrams` says of which words character n-grams are taken too: of all, of none, or in place of
    the `rare` ones; `pairs` adds pairs of words, for a bag; both are hashed to `buckets` numbers. Or it is `bpe`:
    `vocabulary` byte pairs (8,000 or as many as there are) learned from the training texts.

    Of a text the first `length` tokens are used: by default all of the longest training text, or of 95 % of them
    where that is longer than 256. Each token is embedded in `embedding` channels.
    """

    encoding: TextEncoding  # type: ignore[assignment]
    texts: list[str]  # of all samples
    files: list[Path]  # of each text, where they are in files of their own

    def __init__(
        self,
        path: str,
        text: str | None = None,
        target: str | None = None,
        task: targets.TaskChoice = "auto",
        order: list[str | int | float] | None = None,
        label_separator: str | None = None,
        tokenizer: fitting.Kind = "words",
        vocabulary: PositiveInt | None = None,
        ngrams: Ngrams = "rare",
        pairs: bool = False,
        buckets: PositiveInt = 2_000,
        length: PositiveInt | None = None,
        embedding: PositiveInt = 64,
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
        seed: int = 0,
    ):
        self.text = text or COLUMN
        super().__init__(
            path,
            target or "",
            task,
            order,
            label_separator,
            categorical=(self.text,),
            group=group,
            order_by=order_by,
            split=split,
            weight=weight,
            test_path=test_path,
            val_path=val_path,
            separator=separator,
            text_encoding=text_encoding,
            decimal=decimal,
            thousands=thousands,
            missing=missing,
            date_format=date_format,
            missing_target=missing_target,
            skip_rows=skip_rows,
            batch_size=batch_size,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=seed,
        )
        self.reading = replace(self.reading, long_texts=True)
        self.of_columns = {name: value for name, value in {"text": text, "target": target}.items() if value}
        self.tokenizing = fitting.Settings(tokenizer, vocabulary, ngrams, pairs, buckets)
        self.length = length
        self.files = []
        self.embedding = embedding

    def _read(self) -> Samples:
        if Path(self.path).expanduser().is_dir():
            return self._read_folders()
        if missing := [name for name in ("text", "target") if name not in self.of_columns]:
            raise LabError(
                *[f"data.{name}: is required: the column of {self.path} with the {name}" for name in missing]
            )
        return super()._read()

    def _read_folders(self) -> Samples:
        """The texts of .txt files, whose classes are the names of their folders."""
        columns = [*self.of_columns, *self.rows.columns, *(["weight"] if self.weight else [])]
        if given := [*columns, *(f"{s}_path" for s, p in self.rows.files.items() if p)]:
            raise LabError(f"data.{given[0]}: is for a table; {self.path} is a folder, whose folders are the classes")
        if self.choice.task not in ("auto", "classification"):
            raise LabError(f"data.task: the targets are the folders of {self.path}, which are classes")
        self.choice.check()
        files = class_folders.find(self.path, class_folders.TEXTS)
        targets.check_classes(files.labels, files.class_names, self.path)
        self.notes += files.notes
        self.skipped += files.unused
        self.files = list(files.paths)
        if files.given is not None:
            self.notes.append(("split", given_splits.described(files.given.tolist(), files.given_by)))
        texts = [read_text(path, self.reading.text_encoding) for path in files.paths]
        frame = pd.DataFrame({self.text: pd.Series(texts, dtype=object)})
        self.example = frame.head(EXAMPLE_ROWS)
        return Samples(
            frame,
            files.labels,
            class_names=files.class_names,
            fingerprint=file_fingerprint(*files.paths, names=[f"{p.parent.name}/{p.name}" for p in files.paths]),
            given=files.given,
        )

    def _checked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The columns of text, target and splits; raises LabError for one that is missing, and numbers as texts."""
        column_types.check_names([self.text], frame, "data.text")
        if self.text in self.predicted:
            raise LabError(f"data.text: '{self.text}' is the target; name the column with the texts")
        super()._checked(frame)
        used = [
            self.text,
            *self.predicted,
            *self.rows.columns.values(),
            *([] if self.weight is None else [self.weight]),
        ]
        if unused := [str(name) for name in frame.columns if name not in used]:
            self.notes.append(("not used", f"the columns {', '.join(unused)}"))
        columns.check(frame[self.text])
        return frame[list(dict.fromkeys(used))]

    def encode(self, raw: pd.DataFrame, train: NDArray[np.int64]) -> NDArray[Any]:
        """All texts as token numbers; fits the tokenizer on the rows in `train`."""
        marks, text_encoding = self.missing, self.reading.text_encoding
        self.texts = list(texts_of(raw, self.text, marks))
        of_training = [self.texts[row] for row in train]
        if not any(of_training):
            raise LabError(f"{self.path}: all training texts are empty")
        tokenizer = fitting.fit(self.tokenizing, of_training)
        numbers = tokenizer.numbers(self.texts)
        length = self.length or fitting.length_of([numbers[row] for row in train])
        self.encoding = TextEncoding(self.text, length, tokenizer, marks, text_encoding)
        self.notes.append(("tokens", fitting.described(tokenizer, of_training)))
        self.notes.append(("length", fitting.cut(numbers, length)))
        if empty := sum(not text for text in self.texts):
            are = "is" if empty == 1 else "are"
            self.notes.append(("empty", f"{counted(empty, 'text')} of {len(self.texts):,} {are} empty"))
        return self.encoding.padded(numbers)

    def scale(self, x: Any, train: NDArray[np.int64]) -> Scale:
        """Token numbers are not scaled."""
        return Scale(torch.zeros(()), torch.ones(()))

    def dataset(self, x: Any, y: Tensor, split: Split) -> Dataset[Any]:
        """The texts of a split, in batches of similar length."""
        chosen = self.split_indices[split]
        tokens = torch.from_numpy(x[chosen])
        return SequenceDataset(tokens, y[torch.from_numpy(chosen)], (tokens != PAD).sum(1))

    def raw_examples(self, count: int) -> NDArray[Any]:
        """The first training texts as token numbers (n, length)."""
        return self.first_samples(count).numpy()

    def _prepare(self) -> None:
        SampleDataModule._prepare(self)
        self._samples = None
        self.input_adapter = EmbeddedTokens(self.encoding.tokenizer.tokens, self.embedding, PAD)
        shape = (self.embedding, self.encoding.length)
        self.sizes = replace(self.sizes, input_shape=shape, padded=True)
