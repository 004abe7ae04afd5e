"""A run whose model writes text: its text, its exports, and what is refused of it."""

import json
from pathlib import Path

import made_once
import mlflow.pyfunc
import numpy as np
import pytest
from pages import opened_page

import lab
from lab.cli import main as command_line
from lab.cli import servers
from lab.data.encodings.characters import CharactersEncoding
from lab.errors import LabError
from lab.explanations.explain import explain
from lab.inference import export, text
from lab.inference.model import Model
from lab.tracking import models
from lab.training.reproduce import reproduce

LINE = "the cat sat on the mat and the dog sat on the log. "
TINY = """# Which character comes next?
data: {kind: characters, path: book.txt, length: 16, batch_size: 16, val_fraction: 0.05, test_fraction: 0.8}
model: {kind: causal_transformer, hidden: 16, layers: 1, heads: 2, kernel: 3, dropout: 0.1}
optimizer: {kind: adamw, lr: 0.01}
trainer: {max_epochs: 2}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    """A folder with a run of the experiment `tiny`."""
    return made_once.with_store(tmp_path_factory, "written", prepared_store, _train)


def _train() -> None:
    Path("book.txt").write_text(LINE * 260, encoding="utf-8")
    made_once.train({"tiny": TINY})


@pytest.fixture
def model(written: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.chdir(written)
    return lab.load("latest:tiny")


def encoding_of(model: Model) -> CharactersEncoding:
    assert isinstance(model.encoding, CharactersEncoding)
    return model.encoding


def test_a_run_is_compared_with_both_baselines(model: Model) -> None:
    metrics = model.run.metrics
    assert metrics["test/perplexity"] == pytest.approx(np.exp(metrics["test/loss"]), rel=1e-5)
    assert metrics["quick_baseline/test/perplexity"] < metrics["baseline/test/perplexity"]
    assert metrics["low/test/perplexity"] < metrics["test/perplexity"] < metrics["high/test/perplexity"]
    assert reproduce(model.run.id, [], lambda line: None).verdict == "BIT-EXACT"


def test_text_is_the_same_for_the_same_seed(model: Model) -> None:
    one, again, other = (text.write(model, "the ", 40, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert (one[:4], len(one)) == ("the ", 44)
    assert set(one) <= set(LINE)


def test_the_most_probable_text_and_drawn_text_follow_the_probabilities(model: Model) -> None:
    encoding, prompt = encoding_of(model), "the cat sat on t"
    after = model.outputs(encoding.encode([prompt]))[0, 1:, -1]
    assert text.write(model, prompt, 1, temperature=0)[-1] == encoding.vocabulary[int(after.argmax())]
    drawn = [text.write(model, prompt, 1, seed=seed)[-1] for seed in range(300)]
    shares = np.asarray([drawn.count(character) / 300 for character in encoding.vocabulary])
    np.testing.assert_allclose(shares, after / after.sum(), atol=0.1)


def test_the_probabilities_are_those_of_the_network_in_every_format(model: Model, tmp_path: Path) -> None:
    for format, ending in export.ENDINGS.items():
        _, difference = export.export(model, format, tmp_path / f"model{ending}")
        assert difference < 1e-5
    content = json.loads((tmp_path / "model.encoding.json").read_text())
    assert content["input"] == {"kind": "characters", "vocabulary": "".join(sorted(set(LINE))), "length": 16}
    loaded = mlflow.pyfunc.load_model(str(models.download(model.run)))
    x = encoding_of(model).encode(["the cat sat on t", "and the dog sat "])
    np.testing.assert_allclose(loaded.predict(x), model.outputs(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.outputs(x).sum(1), 1, rtol=1e-5)
    with pytest.raises(LabError, match="a network that writes text cannot be taken out of its model"):
        model.network()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prompt", "the Ж"], "--prompt: the training text has no 'Ж'"),
        (["--prompt", ""], "--prompt: is empty"),
        (["--seed", "1", "book.txt"], "--seed: is for text that a model writes; add --prompt"),
        (["book.txt"], "writes text; give the beginning"),
        ([], "writes text; give the beginning"),
        (["--prompt", "the ", "book.txt"], "--prompt: takes no file; remove book.txt"),
        (["--prompt", "the ", "--temperature", "-1"], "--temperature: must be a number, at least 0, not '-1'"),
        (["--prompt", "the ", "--length", "many"], "--length: must be a whole number, not 'many'"),
    ],
)
def test_what_lab_predict_refuses(
    model: Model, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        command_line.main(["predict", model.run.id, *words])
    assert message in capsys.readouterr().err


def test_it_is_not_served_not_explained_and_predicts_no_rows(model: Model) -> None:
    with pytest.raises(LabError, match=r"serve: run .* writes text, which is not served; use `lab predict"):
        servers.serve_model(model.run, 5001)
    with pytest.raises(LabError, match="explain: characters has the task language; it explains classification"):
        explain(model.run.id, "val", 0)
    with pytest.raises(LabError, match="writes text: `lab predict"):
        model.predict([LINE])


def test_the_page_of_the_run_shows_perplexity_and_no_predictions(model: Model) -> None:
    app = opened_page("run", run=model.run.id[:8])
    shown = "\n".join([*(str(table.value) for table in app.dataframe), *(str(each.value) for each in app.metric)])
    assert "perplexity" in shown
    assert [str(error.value)[:9] for error in app.error] in ([], ["No better"])
