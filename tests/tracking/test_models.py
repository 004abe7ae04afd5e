"""A run's LoggedModel predicts where the lab is not installed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.config.experiment import from_sections
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.training import run as training

WITHOUT_LAB = """
import sys

class NoLab:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "lab":
            raise ImportError("the lab is not installed")

sys.meta_path.insert(0, NoLab())
import mlflow
import pandas as pd

mlflow.set_tracking_uri(sys.argv[1])
rows = pd.read_csv("new.csv")
for run in sys.argv[2:]:
    model = mlflow.pyfunc.load_model(f"runs:/{run}/model")
    try:
        model.predict(rows.drop(columns="age"))
    except Exception as error:
        print(error, file=sys.stderr)
    model.predict(rows).to_csv(f"{run}.csv", index=False)
"""


def trained(rows: pd.DataFrame, target: str) -> StoredRun:
    rows.to_csv("rows.csv", index=False)
    sections = {
        "data": {"kind": "table", "path": "rows.csv", "target": target, "batch_size": 16},
        "model": {"kind": "mlp", "hidden": 8},
        "trainer": {"max_epochs": 2},
    }
    result = training.run(from_sections("rows", "Does it travel?", sections))
    assert result.run_id is not None
    return stored_runs.find(result.run_id)


@pytest.fixture
def rows(workplace: Path) -> pd.DataFrame:
    random = np.random.default_rng(0)
    age = random.normal(40, 10, 100)
    return pd.DataFrame(
        {
            "age": np.where(random.random(100) < 0.1, np.nan, age),
            "city": random.choice(["Oslo", "Rome", None], 100),
            "shop": random.choice([f"shop {number}" for number in range(12)], 100),
            "since": pd.date_range("2020-01-01", periods=100).strftime("%Y-%m-%d"),
            "buys": np.where(age > 40, "yes", "no"),
            "spent": age,
        }
    )


def predicted_elsewhere(new: pd.DataFrame, *runs: StoredRun) -> tuple[list[pd.DataFrame], str]:
    """What the models of runs predict in a process without the lab, and what it printed."""
    new.to_csv("new.csv", index=False)
    command = [sys.executable, "-c", WITHOUT_LAB, store.tracking_uri(), *(run.id for run in runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [pd.read_csv(f"{run.id}.csv") for run in runs], done.stderr


def test_a_tables_model_takes_raw_rows_without_lab_and_without_pickle(rows: pd.DataFrame) -> None:
    classes, values = trained(rows.drop(columns="spent"), "buys"), trained(rows.drop(columns="buys"), "spent")
    new = rows.head(3).assign(city=["Oslo", None, "Tokyo"], shop="a new one", age=[None, 30.0, 50.0])
    (buys, spent), printed = predicted_elsewhere(new, classes, values)
    check_classes(buys)
    check_values(spent, values)
    assert printed.count("no column 'age' in the data") == 2
    assert not [path for path in store.root().rglob("*") if path.suffix in (".pkl", ".pickle")]


def check_classes(predicted: pd.DataFrame) -> None:
    assert list(predicted.columns) == ["prediction", "probability of no", "probability of yes"]
    sums = predicted["probability of no"] + predicted["probability of yes"]
    np.testing.assert_allclose(sums, 1, atol=1e-6)
    likeliest = np.where(predicted["probability of yes"] > 0.5, "yes", "no")
    assert predicted["prediction"].tolist() == likeliest.tolist()


def check_values(predicted: pd.DataFrame, run: StoredRun) -> None:
    """They are in the units of the target."""
    assert list(predicted.columns) == ["prediction"]
    assert (predicted["prediction"] - 40).abs().max() < 40
    content = json.loads(run.artifact("encoding.json").read_text(encoding="utf-8"))
    assert content["output"] == {"task": "regression", "class_names": [], "target_names": ["spent"]}
    assert [column["name"] for column in content["input"]["columns"]] == ["age", "city", "shop", "since"]
