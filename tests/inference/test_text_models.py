"""A model of texts, from `lab new` to predictions: the same by every way, without the lab, and in ONNX."""

import json
import re
from pathlib import Path

import made_once
import numpy as np
import pandas as pd
import pytest
from made_texts import reviews, write_folders

import lab
from lab.errors import LabError
from lab.explanations.explain import explain
from lab.inference import export, files, model
from lab.scaffold import writing
from lab.tracking import models
from lab.tracking.reading import stored_runs

NEW = ["A lovely film, really.", "the dreadful story", "zyzzyva", ""]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    """A folder with a run of each tokenizer: `words` in folders of files for a bag, `bpe` for a regression.

    And one of a table that has texts beside numbers: `mixed`.
    """
    return made_once.with_store(tmp_path_factory, "texts", prepared_store, _train)


def _train() -> None:
    reviews(300).to_csv("reviews.csv", index=False)
    write_folders(reviews(300), Path("reviews"))
    writing.new("words", "reviews", overrides=["trainer.max_epochs=8"])
    small = ["data.tokenizer=bpe", "data.vocabulary=300", "data.length=8", "model.layers=1", "trainer.max_epochs=2"]
    writing.new("bpe", "reviews.csv", "stars", model="gru", kind="text", overrides=small)
    writing.new("mixed", "reviews.csv", "label", overrides=["trainer.max_epochs=12", "data.batch_size=16"])
    made_once.train({}, ("words", ()), ("bpe", ()), ("mixed", ()))


@pytest.fixture(autouse=True)
def in_folder(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(texts)


@pytest.mark.parametrize("name", ["words", "bpe"])
def test_a_text_is_predicted_alone_as_among_others_and_without_the_lab(name: str, tmp_path: Path) -> None:
    import mlflow

    loaded = lab.load(name)
    column = loaded.encoding.column  # type: ignore[attr-defined]
    rows = pd.DataFrame({column: NEW})
    together = loaded.predict(rows)
    numbers = list(together.columns.drop("prediction")) or ["prediction"]
    ways = [loaded.predict(NEW), pd.concat([loaded.predict([text]) for text in NEW], ignore_index=True)]
    plain = mlflow.pyfunc.load_model(str(models.download(stored_runs.find(name))))
    ways += [plain.predict(rows), plain.predict(pd.DataFrame(json.loads(rows.to_json(orient="records"))))]
    for way in ways:
        np.testing.assert_allclose(way[numbers].to_numpy(), together[numbers].to_numpy(), rtol=1e-5, atol=1e-6)
        assert list(way["prediction"]) == list(together["prediction"]) or numbers == ["prediction"]


def test_a_cell_of_json_that_is_no_text_is_refused_in_one_line() -> None:
    with pytest.raises(LabError, match=r"column 'text', row 2: .* is not text; give it as text") as error:
        lab.load("words").predict(pd.DataFrame({"text": ["a film", {"a": 1}]}))
    assert len(error.value.lines) == 1


def test_a_row_with_a_text_is_predicted_alone_as_among_others_and_without_the_lab(tmp_path: Path) -> None:
    import mlflow

    loaded = lab.load("mixed")
    rows = pd.DataFrame({"stars": [4.8, 0.2, None, 2.5], "review": [NEW[0], NEW[1], NEW[2], None], "else": 1})
    together = loaded.predict(rows)
    assert list(together["prediction"][:2]) == ["good", "bad"]
    ways = [pd.concat([loaded.predict(rows.iloc[[row]]) for row in range(4)]), loaded.predict(rows[::-1])[::-1]]
    plain = mlflow.pyfunc.load_model(str(models.download(stored_runs.find("mixed"))))
    ways += [plain.predict(rows), plain.predict(pd.DataFrame(json.loads(rows.to_json(orient="records"))))]
    rows.to_csv(tmp_path / "new.csv", index=False)
    ways.append(loaded.predict(files.read([str(tmp_path / "new.csv")], loaded.encoding, print)))
    for way in ways:
        pd.testing.assert_frame_equal(way, together, check_dtype=False, rtol=1e-5, atol=1e-6)
    metrics = stored_runs.find("mixed").client.get_run(stored_runs.find("mixed").id).data.metrics
    assert metrics["quick_baseline/test/accuracy"] > 0.9
    assert stored_runs.find("mixed").tags["lab.quick_baseline"] == "TF-IDF and logistic regression"


def test_a_file_without_the_text_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("stars,reviews\n3.5,a film\n")
    loaded = lab.load("mixed")
    with pytest.raises(LabError, match="no column 'review' in the data; did you mean reviews") as error:
        loaded.predict(files.read([str(tmp_path / "new.csv")], loaded.encoding, print))
    assert len(error.value.lines) == 1


def test_a_column_of_texts_is_explained_as_a_whole() -> None:
    found = explain("mixed")
    assert found.importance is not None
    assert {part.name for part in found.importance.parts} == {"review", "stars"}
    assert set(found.samples[0]["row"]) == {"review", "stars"}


@pytest.mark.parametrize("name", ["words", "bpe", "mixed"])
def test_token_numbers_go_into_onnx(name: str, tmp_path: Path) -> None:
    loaded = model.load(name)
    path, difference = export.export(loaded, "onnx", tmp_path / "model.onnx")
    assert path.exists()
    assert difference < 1e-5


def test_the_words_that_tell_the_classes_apart_are_learned() -> None:
    assert list(lab.load("words").predict(NEW[:2])["prediction"]) == ["good", "bad"]
    run = stored_runs.find("words")
    assert run.tags["lab.quick_baseline"] == "TF-IDF and logistic regression"
    metrics = run.client.get_run(run.id).data.metrics
    assert metrics["quick_baseline/test/accuracy"] > 0.9
    assert metrics["test/accuracy"] > 0.8


def test_files_and_folders_are_predicted_one_by_one(tmp_path: Path) -> None:
    write_folders(reviews(4, seed=2), tmp_path / "new")
    loaded = model.load("words")
    raw = files.read([str(tmp_path / "new")], loaded.encoding, print)
    assert [path.suffix for path in raw] == [".txt"] * 4
    found = loaded.predict([path.read_text() for path in raw])
    pd.testing.assert_frame_equal(loaded.predict(raw), found)
    (tmp_path / "pictures").mkdir()
    with pytest.raises(LabError, match=r"has no texts \(.txt\)"):
        files.read([str(tmp_path / "pictures")], loaded.encoding, print)


@pytest.mark.parametrize(("name", "first"), [("words", r"(good|bad)/\d+\.txt"), ("bpe", r"row \d+")])
def test_the_most_wrong_texts_are_named_as_they_are_stored(name: str, first: str) -> None:
    sample = explain(name).samples[0]
    assert re.fullmatch(first, sample["id"])
    assert len(next(iter(sample["row"].values())).split()) > 1
