"""Predictions for new data, from the artifacts of a run alone."""

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_data import draw, sales_rows, shop_rows
from sklearn.datasets import load_digits

import lab
from lab.cli import main
from lab.tracking.reading import stored_runs


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_rows_of_a_table_are_predicted_as_the_logged_model_does(folder: Path) -> None:
    import mlflow

    rows = shop_rows(50)
    rows.loc[3, "city"] = "Lima"  # never seen
    rows.loc[4, "city"] = None
    rows.index = rows.index + 7
    predicted = lab.load("shop").predict(rows)
    assert list(predicted) == ["prediction", "probability of no", "probability of yes"]
    assert list(predicted.index) == list(rows.index)
    assert set(predicted["prediction"]) <= {"no", "yes"}
    logged = mlflow.pyfunc.load_model(f"runs:/{stored_runs.find('shop').id}/model").predict(rows)
    pd.testing.assert_frame_equal(predicted, logged, check_dtype=False, atol=1e-6)


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_predictions_are_written_in_the_order_of_the_rows(
    folder: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    rows = shop_rows(9)
    rows.to_parquet(folder / "new.parquet")
    out = folder / f"out.{ending}"
    code, printed, _ = command(capsys, "predict", "latest:shop", folder / "new.parquet", "-o", out)
    assert (code, "9 predictions" in printed) == (0, True)
    expected = lab.load("latest:shop").predict(rows)
    written = {"csv": pd.read_csv, "parquet": pd.read_parquet, "npz": np.load}[ending](out)
    assert list(written) == list(expected)
    assert list(written["prediction"]) == list(expected["prediction"])
    np.testing.assert_allclose(written["probability of yes"], expected["probability of yes"], rtol=1e-6)


def test_a_total_an_empty_row_and_a_note_get_no_prediction_and_that_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shop_rows(6)
    text = rows.to_csv(index=False)
    total = dict.fromkeys(rows, "") | {"city": "Total", "age": str(rows["age"].sum())}
    lines = ["Orders of May", text.strip(), "," * (len(rows.columns) - 1), ",".join(total.values()), "Source: the shop"]
    (folder / "new.csv").write_text("\n".join(lines) + "\n")
    code, printed, err = command(capsys, "predict", "latest:shop", folder / "new.csv")
    assert code == 0, err
    expected = lab.load("latest:shop").predict(rows)
    pd.testing.assert_frame_equal(pd.read_csv(StringIO(printed)), expected, check_dtype=False, atol=1e-6)
    assert [line.partition("new.csv: ")[2] for line in err.splitlines()] == [
        "skipped 1 line above the header",
        "skipped 1 line with a single field",
        "skipped 1 empty row, the last row, 'Total', which sums up the others: no prediction for rows 7, 8",
    ]


def test_a_file_is_not_replaced_without_yes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop_rows(3).to_csv(folder / "new.csv", index=False)
    out = folder / "out.csv"
    out.write_text("mine")
    arguments = ("predict", "latest:shop", folder / "new.csv", "-o", out)
    code, _, err = command(capsys, *arguments)
    assert (code, out.read_text()) == (2, "mine")
    assert "exists; --yes replaces it" in err
    assert command(capsys, *arguments, "--yes")[0] == 0
    assert len(pd.read_csv(out)) == 3
    assert sorted(path.name for path in folder.iterdir()) == ["new.csv", "out.csv"]


def test_samples_come_as_array_or_as_rows_and_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = load_digits().images[:5, None]
    np.save(folder / "new.npy", images)
    np.savez(folder / "new.npz", x=images, other=images[:1])
    pixels = pd.DataFrame(images.reshape(5, 64), columns=[f"pixel {index}" for index in range(64)])
    pixels.to_csv(folder / "new.csv", index=False)
    printed = [command(capsys, "predict", "digits", folder / f"new.{ending}")[1] for ending in ("npy", "npz", "csv")]
    first, *others = [pd.read_csv(StringIO(text)) for text in printed]
    assert list(first)[:2] == ["prediction", "probability of 0"]
    assert len(first) == 5
    for other in others:
        pd.testing.assert_frame_equal(other, first, atol=1e-6)


def test_a_single_sample_and_many_are_predicted_alike(folder: Path) -> None:
    model = lab.load("digits")
    images = np.tile(load_digits().images[:5, None], (1000, 1, 1, 1))  # more than go through the network at once
    many = model.predict(images)
    assert len(many) == 5000
    pd.testing.assert_frame_equal(many.iloc[:1], model.predict(images[:1]), atol=1e-6)
    pd.testing.assert_frame_equal(many.iloc[:5], many.iloc[-5:].reset_index(drop=True), atol=1e-6)


def test_a_series_is_continued(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sales_rows(30).to_csv(folder / "new.csv", index=False)
    code, text, _ = command(capsys, "predict", "sales", folder / "new.csv")
    assert code == 0
    assert [line.partition(",")[0] for line in text.splitlines()] == ["month", "2012-07", "2012-08", "2012-09"]
    assert text.startswith("month,prediction of sales,prediction of visits\n")
    windows = sales_rows(30)[["sales", "visits"]].to_numpy().T[None, :, -12:]
    flat = lab.load("sales").predict(windows)
    assert list(flat)[:3] == ["prediction of sales +1", "prediction of sales +2", "prediction of sales +3"]
    printed = [float(line.split(",")[1]) for line in text.splitlines()[1:]]
    np.testing.assert_allclose(flat.iloc[0, :3].to_numpy(dtype=float), printed, rtol=1e-5)


def test_images_are_predicted_by_file_or_by_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(folder / "new", 3)
    code, text, _ = command(capsys, "predict", "pictures", folder / "new")
    assert code == 0
    names = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert names == [str(folder / "new" / shade / f"0{n}.png") for shade in ("dark", "light") for n in range(3)]
    code, one, _ = command(capsys, "predict", "pictures", names[4])
    assert float(one.splitlines()[1].split(",")[2]) == pytest.approx(float(text.splitlines()[5].split(",")[2]), 1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("shpo", "rows.csv"), "no run 'shpo': did you mean shop?"),
        (("shop", "rwos.csv"), "rwos.csv: no such file"),
        (("shop", "new-data"), "new-data: no such file; looked up from"),
        (("shop", "lacking.csv"), "no column 'city' in the data"),
        (("shop", "text.csv"), "column 'age', row 3: 'old' is not a number"),
        (("shop", "flat.npy"), "this model takes .csv"),
        (("digits", "flat.npy"), "expected an array of shape (N, 1, 8, 8), not (N, 64)"),
        (("digits", "rows.csv"), "samples of shape (1, 8, 8) need 64 columns of numbers, in order; there are 3"),
        (("sales", "half.csv"), "no column 'visits' in the data"),
        (("sales", "short.csv"), "5 rows are too few; a forecast needs the last 12 steps"),
        (("sales", "twice.csv"), "is the same time as row 1"),
        (("pictures", "rows.csv"), "rows.csv: this model takes images, folders of them, or .npy, .npz files"),
        (("shop", "rows.csv", "-o", "out.xlsx"), "predictions are written as .csv, .parquet, .npz"),
        (("shop", "rows.csv", "-o", "rows.csv/out.csv"), "out.csv: cannot be written"),
        (("failed", "rows.csv"), "is FAILED and has no model"),
    ],
)
def test_an_error_is_one_line_and_leaves_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    rows = shop_rows(4)
    rows.to_csv(folder / "rows.csv", index=False)
    rows.drop(columns="city").to_csv(folder / "lacking.csv", index=False)
    rows.astype({"age": object}).replace({"age": {rows["age"][2]: "old"}}).to_csv(folder / "text.csv", index=False)
    np.save(folder / "flat.npy", np.zeros((2, 64)))
    sales_rows(30).drop(columns="visits").to_csv(folder / "half.csv", index=False)
    sales_rows(5).to_csv(folder / "short.csv", index=False)
    pd.concat([sales_rows(30), sales_rows(1)]).to_csv(folder / "twice.csv", index=False)
    if arguments[0] == "failed":
        from made_runs import make_run

        from lab.tracking import store

        make_run(store.client(), "shop", "failed", status="FAILED")
    before = sorted(folder.iterdir())
    run, *others = arguments
    code, out, err = command(
        capsys, "predict", run, *(other if other.startswith("-") else folder / other for other in others)
    )
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(folder.iterdir()) == before
