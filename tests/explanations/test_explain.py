"""`lab explain`: what is kept with a run, in which words, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from own_modules import write_mistake

import lab
from lab.cli import main
from lab.config.experiment import load
from lab.errors import LabError
from lab.explanations import attributions
from lab.explanations.explain import explain
from lab.explanations.trained import task_of
from lab.tracking import edits, store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.artifacts import Artifacts
from lab.training.building import build


def kept(name: str) -> dict[str, Any]:
    """What the run keeps, read by the rules of JSON: without NaN and Infinity."""
    text = stored_runs.find(name).artifact("explain/explanation.json").read_text()
    return json.loads(text, parse_constant=pytest.fail)


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.main(["explain", *arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_images_have_thumbnails_maps_and_the_names_of_their_files(folder: Path) -> None:
    found = explain("pictures")
    content = kept("pictures")
    assert content["errors"] == found.errors
    assert content["size"] == found.size
    first = content["samples"][content["lists"]["highest loss"][0]]
    assert Path(first["file"]).is_file()
    assert first["id"] == "/".join(Path(first["file"]).parts[-2:])
    assert first["true"] == Path(first["file"]).parent.name
    assert (first["predicted"] != first["true"]) == (found.errors != 0)
    files = Artifacts().sizes(found.run_id)
    attributed = [sample for sample in content["samples"] if "attribution" in sample]
    assert attributed
    for sample in content["samples"]:
        assert sample["thumbnail"] in files
    for sample in attributed:
        assert sample["attribution"]["figure"] in files
        values = json.loads(stored_runs.find("pictures").artifact(sample["attribution"]["values"]).read_text())
        assert values["of"] == sample["predicted"]
        assert len(values["gradients"]) == len(values["occlusion"])


def test_rows_are_named_by_their_number_in_the_file(folder: Path) -> None:
    explain("shop")
    lines = Path("shop.csv").read_text().splitlines()[1:]
    for sample in kept("shop")["samples"]:
        number = int(sample["id"].removeprefix("row "))
        age, city, shop, since, spent = lines[number - 1].split(",")
        assert sample["row"] == {"age": int(age), "city": city, "shop": shop, "since": since}
        assert sample["true"] == pytest.approx(float(spent), rel=1e-4)
        assert sample["file"] == "shop.csv"
    assert max(sample["index"] for sample in kept("shop")["samples"]) < 200


def test_windows_are_named_by_the_dates_that_they_forecast(folder: Path) -> None:
    explain("sales")
    rows = Path("sales.csv").read_text().splitlines()[1:]
    for sample in kept("sales")["samples"]:
        first = sample["index"]
        assert sample["times"][0] == f"{rows[first].split(',')[0]}-01"
        assert sample["id"] == " to ".join(sample["times"])
        assert sample["true"] == pytest.approx([float(row.split(",")[1]) for row in rows[first : first + 3]], rel=1e-4)
        assert sample["past"][0][-1] == pytest.approx(float(rows[first - 1].split(",")[1]), rel=1e-4)
        assert len(sample["predicted"]) == 3


def test_of_a_module_of_ones_own_its_forward_is_explained(folder: Path) -> None:
    found = explain("waves")
    assert found.metric == "val/accuracy"
    assert [sample for sample in found.samples if "attribution" in sample]


def test_explaining_again_replaces_the_files_and_changes_nothing_else_of_the_run(folder: Path) -> None:
    before = stored_runs.find("shop")
    store.client().log_text(before.id, "old", "explain/samples/99.png")
    first = explain("shop")
    files, content = Artifacts().sizes(before.id), kept("shop")
    assert "explain/samples/99.png" not in files
    assert explain("shop", seed=1).as_json() != first.as_json()
    assert explain("shop").as_json() == first.as_json()
    assert Artifacts().sizes(before.id) == files
    assert kept("shop") == content
    after = stored_runs.find("shop")
    assert (after.status, after.metrics, after.params, after.tags) == (
        before.status,
        before.metrics,
        before.params,
        before.tags,
    )


def test_the_command_and_python_say_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "shop")
    assert code == 0
    assert "shuffled" in out
    assert "share their importance" in out
    assert "largest errors" in out
    found = lab.explain("shop")
    assert repr(found).splitlines() == [line.rstrip() for line in out.strip("\n").splitlines()]
    assert found.importance_table.index[0] == found.as_json()["importance"]["parts"][0]["name"]
    assert found.table["list"].unique().tolist() == ["largest errors", "smallest errors"]


def test_only_the_validation_split_is_read_unless_the_test_split_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.explanations.trained import Trained

    read: set[str] = set()
    for name in ("samples", "batches"):
        plain = getattr(Trained, name)
        monkeypatch.setattr(
            Trained, name, lambda self, split, *more, plain=plain: read.add(split) or plain(self, split, *more)
        )
    assert explain("shop").notes == []
    assert read == {"val"}
    found = explain("shop", split="test")
    assert found.metric == "test/r2"
    assert found.score == pytest.approx(stored_runs.find("shop").metrics["test/r2"], rel=1e-6)
    assert "test split" in found.notes[0]


def test_without_captum_the_rest_is_explained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributions, "find_spec", lambda name: None)
    found = explain("digits")
    assert found.notes == [f"no saliency: {attributions.HINT}"]
    assert "thumbnail" in found.samples[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shopp"], "no run 'shopp'"),
        (["shop", "--seed", "-1"], "seed: must be a whole number from 0 to 4294967295, not -1"),
        (["latest:nothing"], "no experiment 'nothing' has runs"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, _, err = command(capsys, *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert message in err


def test_changed_data_is_refused(folder: Path) -> None:
    path = folder / "shop.csv"
    text = path.read_text()
    try:
        path.write_text(text.replace("Rome", "Roma", 1))
        with pytest.raises(LabError, match=r"the data is not what run .* was trained on: fingerprint .* restore"):
            explain("shop")
    finally:
        path.write_text(text)


def test_runs_that_hold_nothing_to_explain_are_refused_in_one_line(workplace: Path) -> None:
    client = store.client()
    foreign = client.create_run("0").info.run_id
    with pytest.raises(LabError, match="was not written by `lab run`"):
        explain(foreign)
    client.set_tag(foreign, "lab.kind", "run")
    with pytest.raises(LabError, match="is RUNNING; explain it when it has ended"):
        explain(foreign)
    client.set_terminated(foreign)
    with pytest.raises(LabError, match=r"has no checkpoints/best\.ckpt"):
        explain(foreign)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            "self.model(x)[:, :1]",
            r"Mistake gives \(2, 1\) for 2 samples, not the \(2, 10\) outputs of",
        ),
        ("self.model(*x)", r"Mistake cannot be called with samples: TypeError: .* \(mistakes.py:"),
    ],
)
def test_a_module_of_ones_own_with_other_outputs_is_refused(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, forward: str, message: str
) -> None:
    write_mistake(workplace, monkeypatch, f"    def forward(self, x):\n        return {forward}\n")
    with pytest.raises(LabError, match=message):
        task_of(build(load("mistake")))


def test_a_data_module_of_lightnings_is_refused(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = (
        "        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(8, 4), torch.zeros(8)))"
    )
    data = f"\n\nclass Blobs(L.LightningDataModule):\n    def train_dataloader(self):\n{loader}\n"
    write_mistake(workplace, monkeypatch, f"    def __init__(self):\n        super().__init__(None, 2)\n{data}")
    file = workplace / "experiments" / "mistake.yaml"
    file.write_text("data: {kind: mistakes:Blobs}\nmodule: {kind: mistakes:Mistake}\ntrainer: {max_epochs: 1}\n")
    with pytest.raises(LabError, match="explain: mistakes:Blobs is a LightningDataModule; it explains classification"):
        task_of(build(load("mistake")))


def test_a_store_that_cannot_delete_keeps_other_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    def refuse(*_: Any) -> None:
        raise NotImplementedError

    run = stored_runs.find("cancer").id
    (tmp_path / "a.txt").write_text("1")
    edits.replace_files(run, "kept", tmp_path)
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    monkeypatch.setattr(LocalArtifactRepository, "delete_artifacts", refuse)
    edits.replace_files(run, "kept", tmp_path)
    assert {path for path in Artifacts().sizes(run) if path.startswith("kept/")} == {"kept/a.txt", "kept/b.txt"}
