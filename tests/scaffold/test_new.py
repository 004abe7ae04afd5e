"""`lab new`: its findings, and that the experiments it writes train without changes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from lab.cli.main import main
from lab.config import experiment
from lab.errors import LabError
from lab.scaffold.writing import Scaffold, new
from lab.training import run as training
from lab.training.building import build

ROWS = 240


@pytest.fixture
def table(workplace: Path) -> pd.DataFrame:
    """A table with numbers, names, a date, missing values and a target that depends on one of them."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": range(1, ROWS + 1),
            "age": random.integers(18, 90, ROWS),
            "income": random.normal(30, 8, ROWS).round(2),
            "job": random.choice(["nurse", "smith", "cook"], ROWS),
            "since": pd.date_range("2020-01-01", periods=ROWS, freq="3D").strftime("%Y-%m-%d"),
        }
    )
    frame["buys"] = np.where(frame["age"] + random.normal(0, 12, ROWS) > 50, "yes", "no")
    frame.loc[3:9, "income"] = np.nan
    return frame


def found(made: Scaffold) -> dict[str, str]:
    return dict(made.inspection.facts)


def one_epoch(name: str) -> training.Result:
    return training.run(experiment.load(name, ["trainer.max_epochs=1"]))


def test_a_table(table: pd.DataFrame) -> None:
    table.to_csv("shop.csv", index=False)
    made = new("shop", "shop.csv", "buys")
    assert found(made)["rows"] == "240, 6 columns"
    assert found(made)["task"].startswith("classification, 2 classes")
    assert found(made)["dropped"].startswith("id")
    assert found(made)["categories"] == "1: job (3 values)"
    assert found(made)["missing"] == "income 2.9 %"
    assert made.inspection.warnings == []
    text = made.path.read_text()
    assert text.startswith("# Can buys be predicted from the other columns of shop.csv?\n")
    assert "#   missing: income 2.9 %\n" in text
    assert one_epoch("shop").metrics["test/accuracy"] > 0


def test_from_a_thousand_training_rows_on_a_table_starts_from_realmlp(table: pd.DataFrame) -> None:
    random = np.random.default_rng(0)
    many = table.sample(1_500, replace=True, random_state=0).drop(columns="id")
    many["income"] = random.normal(30, 8, len(many))  # rows that differ
    many.to_csv("many.csv", index=False)
    sections = new("many", "many.csv", "buys").choice.sections
    assert (sections["model"]["kind"], sections["data"]["scaling"]) == ("realmlp", "robust")
    assert one_epoch("many").metrics["test/accuracy"] > 0
    earlier = new("earlier", "many.csv", "buys", model="wide_deep").choice.sections
    assert earlier["model"] == {"kind": "wide_deep", "hidden": 64, "layers": 1, "dropout": 0.3}
    assert "scaling" not in earlier["data"]
    assert earlier["optimizer"] == {"kind": "adamw", "lr": 0.005, "weight_decay": 0.5}


def test_a_small_table_starts_from_wide_deep_and_from_realmlp_by_name(table: pd.DataFrame) -> None:
    table.to_csv("shop.csv", index=False)
    assert new("shop", "shop.csv", "buys").choice.sections["model"]["kind"] == "wide_deep"
    chosen = new("chosen", "shop.csv", "buys", model="realmlp", overrides=["data.scaling=standard"]).choice.sections
    assert (chosen["model"]["kind"], chosen["data"]["scaling"]) == ("realmlp", "standard")
    assert chosen["optimizer"]["weight_decay"] == 0.02


def test_settings_can_be_overridden(table: pd.DataFrame) -> None:
    table["job"] = table["job"].replace("cook", "boulangère")
    table.to_csv("shop.csv", index=False, encoding="cp1252")
    with pytest.raises(LabError, match="set data\\.text_encoding=cp1252"):
        new("shop", "shop.csv", "buys")
    overrides = ["data.text_encoding=cp1252", "trainer.max_epochs=3", "model.hidden=8"]
    new("shop", "shop.csv", "buys", overrides=overrides)
    loaded = experiment.load("shop")
    assert loaded.data.settings["text_encoding"] == "cp1252"
    assert (loaded.trainer["max_epochs"], loaded.model.settings["hidden"]) == (3, 8)


def test_the_search_is_not_over_settings_of_a_model_that_was_replaced(table: pd.DataFrame) -> None:
    table.to_csv("shop.csv", index=False)
    new("shop", "shop.csv", "buys", overrides=["model.kind=torch.nn:LazyLinear"])
    search = experiment.load("shop").search
    assert search
    assert not [name for name in search if name.startswith("model.")]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.path=other.csv", "data.path: use --data instead"),
        ("data.text_encodin=cp1252", "did you mean data.text_encoding"),
        ("data.text_encoding=klingon", "unknown text encoding"),
        ("data=5", "data: must be a mapping, not 5"),
        ("data.text_encoding=5", "data.text_encoding: must be"),
        ("data.separator=5", "data.separator: must be"),
        ("model.hiden=8", "did you mean model.hidden"),
        ("trainer.max_epochs", "write a setting and its value"),
    ],
)
def test_a_wrong_setting_is_refused_and_nothing_written(table: pd.DataFrame, override: str, message: str) -> None:
    table.to_csv("shop.csv", index=False)
    with pytest.raises(LabError, match=message):
        new("shop", "shop.csv", "buys", overrides=[override])
    assert not Path("experiments/shop.yaml").exists()


def test_an_unknown_time_column_is_refused(workplace: Path) -> None:
    months = pd.date_range("2010-01-01", periods=60, freq="MS").strftime("%Y-%m")
    pd.DataFrame({"month": months, "sales": range(60)}).to_csv("sales.csv", index=False)
    with pytest.raises(LabError, match=r"data\.time: no column 'day'"):
        new("sales", "sales.csv", overrides=["data.time=day"])


def test_a_table_with_a_numeric_target(table: pd.DataFrame) -> None:
    table.to_parquet("shop.parquet")
    made = new("incomes", "shop.parquet", "age")
    assert found(made)["task"].startswith("regression")
    assert one_epoch("incomes").metrics["test/rmse"] > 0


def test_leaks_are_reported(table: pd.DataFrame) -> None:
    table["paid"] = np.where(table["buys"] == "yes", 9.5, 0.0)
    pd.concat([table, table.tail(3)]).to_csv("shop.csv", index=False)
    copies, leaking = new("shop", "shop.csv", "buys").inspection.warnings
    assert "test rows have the inputs of a training row" in copies
    assert leaking.startswith("column 'paid' alone predicts buys")


def test_imbalanced_classes_are_reported(table: pd.DataFrame) -> None:
    table["buys"] = np.where(np.arange(ROWS) % 12 == 0, "yes", "no")
    table.to_csv("shop.csv", index=False)
    assert new("shop", "shop.csv", "buys").inspection.warnings == [
        "91 % are 'no': accuracy misleads, compare balanced_accuracy instead; `loss: {kind: bce, class_weights: "
        "balanced}` makes every class count as much as any other"
    ]


def test_a_common_target_name_is_recognized(table: pd.DataFrame) -> None:
    table.rename(columns={"buys": "Target"}).to_csv("shop.csv", index=False)
    assert new("shop", "shop.csv").inspection.settings["target"] == "Target"


def test_a_monthly_series(workplace: Path) -> None:
    step = np.arange(120)
    sales = 100 + step + 20 * np.sin(2 * np.pi * step / 12)
    months = pd.date_range("2010-01-01", periods=120, freq="MS").strftime("%Y-%m")
    pd.DataFrame({"month": months, "sales": sales, "price": 3.0 + step % 5}).to_csv("sales.csv", index=False)
    made = new("sales", "sales.csv", "sales")
    assert found(made)["season"] == "12 steps"
    settings = made.inspection.settings
    assert (settings["kind"], settings["targets"]) == ("series", ["sales"])
    assert (
        found(made)["unused"]
        == "price; data.covariates: [price] makes them inputs; known_ahead, if they are known in advance"
    )
    assert "# Can the next 12 steps of sales be forecast?" in made.path.read_text()
    assert experiment.load("sales").combine_with_naive
    assert one_epoch("sales").metrics["test/rmse"] > 0
    assert new("rows", "sales.csv", "sales", kind="table").inspection.settings["kind"] == "table"


@pytest.mark.parametrize(("length", "blocks"), [(4, 1), (16, 3), (21, 3), (60, 5), (128, 7)])
def test_what_lies_half_a_sequence_apart_meets_in_the_network(workplace: Path, length: int, blocks: int) -> None:
    np.savez("moves.npz", x=np.random.default_rng(0).normal(size=(90, 1, length)), y=np.arange(90) % 3)
    new("moves", "moves.npz")
    loaded = experiment.load("moves", ["model.norm=none", "model.activation=tanh"])
    assert loaded.written["model"]["layers"] == blocks
    features = build(loaded).task_module.architecture.eval().features
    x = torch.zeros(1, 1, 4 * length, requires_grad=True)
    outputs = features(x)
    outputs[0, 0, outputs.shape[2] // 2].backward()
    assert x.grad is not None
    seen = x.grad[0, 0].nonzero()
    assert 1 + seen.max() - seen.min() >= length / 2


def test_arrays(workplace: Path) -> None:
    x = np.random.default_rng(0).normal(size=(90, 50, 3))
    np.savez("moves.npz", x=x, y=np.arange(90) % 3)
    made = new("moves", "moves.npz")
    assert made.choice.sections["model"]["kind"] == "conv1d"
    assert one_epoch("moves").metrics["test/accuracy"] >= 0
    np.save("x.npy", x)
    np.save("y.npy", x.sum((1, 2)))
    assert new("sums", "x.npy", "y.npy", model="lstm").choice.sections["model"] == {"kind": "lstm"}


def test_images(workplace: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(40):
        folder = workplace / "pictures" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (16, 16), dtype=np.uint8)).save(folder / f"{number}.png")
    made = new("pets", "pictures")
    assert made.choice.sections["model"]["kind"] == "conv2d"
    assert one_epoch("pets").metrics["test/accuracy"] >= 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a/b", "shop.csv", "buys"), "'a/b' is not a valid name for an experiment"),
        (("shop", "shp.csv", "buys"), "shp.csv: no such file; did you mean shop.csv?"),
        (("shop", "shop.csv", "buy"), "--target: no column 'buy'; did you mean buys?"),
        (("shop", "shop.csv"), "--target: which column is to be predicted? the file has id, age"),
        (("shop", "shop.csv", "buys", "mlpp"), "--model: no such kind 'mlpp'; did you mean mlp?"),
        (("shop", "shop.csv", "buys", None, "tabel"), "--kind: no such kind 'tabel'; did you mean table?"),
        (("shop", "shop.csv", "buys", "conv2d"), "model.kind: conv2d takes (N, C, H, W)"),
        (("shop", "x.npy"), "--target: x.npy holds x; give the NPY file of y"),
    ],
)
def test_errors_are_reported_and_nothing_is_written(table: pd.DataFrame, arguments: tuple[str], message: str) -> None:
    table.to_csv("shop.csv", index=False)
    before = experiment.names()
    with pytest.raises(LabError) as error:
        new(*arguments)
    assert error.value.lines[0].startswith(message)
    assert experiment.names() == before


def test_an_experiment_is_replaced_only_with_yes(table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    table.to_csv("shop.csv", index=False)
    mine = Path("experiments/lstm.yaml").read_text()
    with pytest.raises(SystemExit) as end:
        main(["new", "lstm", "--data", "shop.csv", "--target", "buys"])
    assert end.value.code == 2
    assert "experiments/lstm.yaml exists; choose another name, or replace it with --yes" in capsys.readouterr().err
    assert Path("experiments/lstm.yaml").read_text() == mine
    with pytest.raises(SystemExit) as end:
        main(["new", "lstm", "--data", "shop.csv", "--target", "buys", "--yes"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "make experiment NAME=lstm" in out
    assert "income 2.9 %" in out


def test_a_column_like_weights_is_a_hint_and_stays_a_feature(table: pd.DataFrame) -> None:
    table["sample_weight"] = np.linspace(0.5, 2, ROWS)
    table["weightless"] = table["weight"] = np.linspace(-1, 1, ROWS)
    table.to_csv("shop.csv", index=False)
    made = new("shop", "shop.csv", "buys")
    hint = "'sample_weight' is a feature; if it says how often a row counts, set data.weight: sample_weight"
    assert [text for label, text in made.inspection.facts if label == "weights"] == [hint]
    made = new("weighed", "shop.csv", "buys", overrides=["data.weight=sample_weight"])
    assert "weights" not in found(made)
    assert found(made)["weight"].startswith("column 'sample_weight', from 0.5 to 2")
    assert one_epoch("weighed").metrics["test/accuracy"] > 0
