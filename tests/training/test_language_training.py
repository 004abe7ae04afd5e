"""Training on a text by characters: to the same bits after an interruption, checked, searched, or refused."""

import math
from pathlib import Path

import pytest
from resumed import assert_goes_on

from lab.config.experiment import load
from lab.errors import LabError
from lab.modules.metrics.bootstrap import LEAST_BLOCKS
from lab.scaffold.inspection import kind_and_names
from lab.scaffold.writing import new
from lab.studies.objective import choose_objective
from lab.training.building import build
from lab.training.rehearsal import whole_batch
from lab.training.rehearsal.check import check

LINE = "the cat sat on the mat and the dog sat on the log. "
TINY = """# Which character comes next?
data: {kind: characters, path: book.txt, length: 16, batch_size: 16}
model: {kind: causal_transformer, hidden: 16, layers: 1, heads: 2, kernel: 3, dropout: 0.1}
optimizer: {kind: adamw, lr: 0.01}
trainer: {max_epochs: 2}
search: {optimizer.lr: [0.001, 0.01]}
"""


@pytest.fixture(autouse=True)
def in_folder(workplace: Path) -> Path:
    Path("book.txt").write_text(LINE * 40, encoding="utf-8")
    Path("experiments/tiny.yaml").write_text(TINY)
    return workplace


@pytest.mark.parametrize(
    ("more", "stops"),
    [
        (("data.batch_size=2",), (2, 3)),  # blocks of 16 batches, of which an epoch has four
        (("data.num_workers=1", "trainer.average=ema"), (3, 8)),  # single batches, of which it has seven
    ],
)
def test_a_run_goes_on_in_the_middle_of_an_epoch_to_the_same_bits(
    in_folder: Path, more: tuple[str, ...], stops: tuple[int, ...]
) -> None:
    assert_goes_on(in_folder, "tiny", ("checkpoints.every_seconds=0", *more), stops)


def test_the_first_loss_is_compared_with_the_logarithm_of_the_vocabulary() -> None:
    found = check(load("tiny"))
    assert found.guess == pytest.approx(math.log(len(set(LINE)) + 1), rel=1e-6)
    assert found.loss == pytest.approx(found.guess, rel=0.25)
    assert not found.not_exported


def test_a_study_searches_by_the_validation_loss() -> None:
    experiment = load("tiny", ["trainer.max_epochs=1"])
    assert choose_objective(experiment, None).metric == "val/loss"
    assert not choose_objective(experiment, None).higher_is_better


def test_intervals_draw_pages_of_neighbouring_windows() -> None:
    data = build(load("tiny")).data
    assert data.correlated == 125  # windows of 16 characters on a page of 2,000
    assert len(data.splits["test"]) < LEAST_BLOCKS * data.correlated  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.weight=x",), "data.weight: no such setting"),
        (("data.augment=[{kind: jitter}]",), "data.augment: is for sequences"),
        (("data.mix=mixup",), "data.mix: is for classification and regression, not for language"),
        (("threshold=0.3",), "threshold: is for two classes or for labels, not for language; leave it out"),
        (("conformal=0.9",), "conformal: intervals are for values, the task is language; leave it out"),
        (("fold=1/3",), "fold: characters splits its data itself and so has no folds"),
        (("freeze=[nothing.*]",), "freeze: .nothing.* matches no parameter"),
        (("loss={kind: mse}",), "loss.kind: mse does not fit language; use cross_entropy"),
        (("loss={kind: cross_entropy, class_weights: balanced}",), "loss.class_weights: balanced needs the classes"),
        (("model={kind: lstm}",), "model.kind: lstm takes"),
        (("model={kind: bag}",), "model.kind: bag takes"),
        (("model={kind: mlp}",), r"model: mlp must return \(N, 15, 16\), but returns \(N, 15\)"),
        (("model.hidden=15",), r"model.hidden \(15\) must be a multiple of model.heads \(2\)"),
        (("data={kind: digits}",), "model.kind: causal_transformer takes"),
        (("data={kind: breast_cancer}",), "model.kind: causal_transformer requires `length`"),
    ],
)
def test_what_does_not_fit_is_one_line(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(LabError, match=message) as error:
        whole_batch.rehearse(build(load("tiny", overrides)))
    assert len(error.value.lines) == 1


def test_lab_new_finds_a_text() -> None:
    made = new("book", "book.txt")
    facts = [text for label, text in made.inspection.facts if label in ("text", "windows")]
    assert facts[0] == "book.txt: 14 different; 1,632 train, 204 val, 204 test"
    assert facts[1] == "31 of 64 characters, each with the next one for every place"
    assert made.path.read_text().startswith("# Which character comes next in book.txt?")
    assert load("book").part("model").kind == "causal_transformer"
    with pytest.raises(LabError, match="--target: each character of a text is predicted from those before it"):
        new("other", "book.txt", "x", kind="characters")


def test_a_text_file_with_columns_stays_a_table() -> None:
    rows = "".join(f"{number},{number % 7},{'ab'[number % 2]}\n" for number in range(200))
    Path("rows.txt").write_text("id,size,kind\n" + rows)
    assert [kind_and_names("rows.txt", target, {}, None)[0] for target in (None, "kind")] == ["table", "table"]
