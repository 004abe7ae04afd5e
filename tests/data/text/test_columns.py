"""Columns of texts in a table, beside numbers and categories."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made_texts import reviews
from torch import nn

from lab.config.sections import part
from lab.data.encodings import from_json
from lab.data.encodings.cells import USUAL
from lab.data.encodings.text import PAD, UNKNOWN, FreeText, Words
from lab.data.table import Table
from lab.errors import LabError
from lab.training.building import with_input_adapter

pytestmark = pytest.mark.usefixtures("in_folder")


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows().to_csv("reviews.csv", index=False)


def rows(count: int = 200) -> pd.DataFrame:
    return reviews(count).assign(shop=np.resize(["Oslo", "Rome", "Bonn"], count), note="none")


def prepared(**settings: Any) -> Table:
    whole = {"kind": "table", "path": "reviews.csv", "target": "label", "text": ["review"], "batch_size": 16}
    data: Table = part("data", whole | settings).build(seed=0)
    data.prepare()
    return data


def text_of(data: Table) -> FreeText:
    (column,) = (column for column in data.encoding.columns if isinstance(column, FreeText))
    return column


def test_a_column_of_texts_stands_beside_the_others_as_tokens() -> None:
    data = prepared()
    (first, end), tokens = next(iter(data.encoding.texts().items()))
    column = text_of(data)
    assert [kept.name for kept in data.encoding.columns] == ["review", "stars", "shop"]
    assert (end - first, tokens) == (column.length, column.tokenizer.tokens)
    frame = rows()
    encoded = data.encoding.encode(frame)
    for row, text in enumerate(frame["review"]):  # the rule of Words, a text at a time
        (numbers,) = column.tokenizer.numbers([text])
        kept = encoded[row, first:end]
        assert kept[kept != PAD].tolist() == numbers[: column.length]
    np.testing.assert_array_equal(data.encoding.encode(frame[7:9]), encoded[7:9])
    served = data.splits["train"].x[:, first:end]  # type: ignore[attr-defined]
    assert torch.equal(served, torch.from_numpy(encoded[data.split_indices["train"]][:, first:end]))


def test_the_words_are_those_of_the_training_rows_and_travel_as_json() -> None:
    frame = rows().assign(part=["train"] * 150 + ["test"] * 50)
    frame.loc[frame["part"] == "test", "review"] += " unheard unheard"
    frame.to_csv("reviews.csv", index=False)
    data = prepared(split="part")
    assert "unheard" not in text_of(data).tokenizer.vocabulary
    assert from_json(data.encoding.as_json()) == data.encoding


def test_the_network_gets_the_mean_of_the_embeddings_and_so_does_an_exported_one() -> None:
    data = prepared()
    network = with_input_adapter(nn.Identity(), data.input_adapter).eval()
    x = data.first_samples(6)
    out = network(x)
    assert out.shape == (6, data.sizes.input_shape[0])
    (weight,) = (value for name, value in network.named_parameters() if name.startswith("tokens"))
    ((first, end),) = data.encoding.texts()
    for row, found in zip(x[:, first:end].long(), out[:, -weight.shape[1] :], strict=True):
        vectors = [weight[token] for token in row.tolist() if token != PAD]
        torch.testing.assert_close(found, torch.stack(vectors).mean(0), atol=1e-6, rtol=1e-6)
    exported = torch.export.export(network, (x,)).module()
    torch.testing.assert_close(exported(x), out, atol=1e-6, rtol=1e-6)


def test_an_empty_text_is_one_unknown_token_and_another_cell_is_refused() -> None:
    column = FreeText("review", 4, Words(("film",), 0, "none"))
    encoded = np.zeros((2, 4), dtype=np.float32)
    data = prepared()
    column.write(pd.Series([None, "a film"], name="review"), USUAL, encoded)
    assert encoded.tolist() == [[UNKNOWN, PAD, PAD, PAD], [UNKNOWN, 2, PAD, PAD]]
    for cell in (3.5, ["a", "b"]):
        with pytest.raises(LabError, match=r"column 'review', row 2: .* is not text; give it as text") as error:
            data.encoding.encode(rows(2).assign(review=pd.Series(["a film", cell], dtype=object)))
        assert len(error.value.lines) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": ["reviw"]}, "data.text: no column 'reviw'; did you mean review?"),
        ({"text": ["review", "review"]}, "data.text: 'review' is named twice; name it once"),
        ({"text": ["label"]}, "data.text: 'label' is named by data.target too; a column has one use"),
        ({"drop": ["review"]}, "data.text: 'review' is named by data.drop too; a column has one use"),
        ({"keep": ["review"]}, "data.text: 'review' is named by data.keep too; a column has one use"),
        ({"categorical": ["review"]}, "data.text: 'review' is named by data.categorical too; a column has one use"),
        ({"group": "review"}, "data.text: 'review' is named by data.group too; a column has one use"),
        ({"text": ["stars"]}, r"data.text: column 'stars' holds numbers such as [\d.]+, not texts"),
        ({"path": "empty.csv"}, "data.text: column 'review' has no text in any row"),
        ({"path": "dates.parquet"}, "data.text: column 'review' holds dates such as 2024-01-01"),
    ],
)
def test_what_cannot_be_used_is_one_line(settings: dict[str, Any], message: str) -> None:
    rows(40).assign(review="").to_csv("empty.csv", index=False)
    rows(40).assign(review=pd.Timestamp("2024-01-01")).to_parquet("dates.parquet")
    with pytest.raises(LabError, match=message) as error:
        prepared(**settings)
    assert len(error.value.lines) == 1


def test_without_the_setting_the_column_is_left_out_as_before() -> None:
    data = prepared(text=[])
    assert any(what == "dropped" and said.startswith("review: ") for what, said in data.notes)
