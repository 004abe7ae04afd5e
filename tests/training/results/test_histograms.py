"""Histograms of weights and gradients, checked against numpy.histogram of the tensors themselves."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lab.config.experiment import load
from lab.errors import LabError, TrainingFailed
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.reading.tables import open_tables
from lab.training import run as training
from lab.training.building import build
from lab.training.checkpoints import files as checkpoint_files
from lab.training.results import histograms
from lab.training.results.histograms import BINS, FILE, row_of

ON = "trainer.histograms=true"


def tables_of(run: StoredRun) -> dict[str, NDArray[np.float64]]:
    with np.load(run.artifact(FILE), allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def assert_is_histogram(row: NDArray[np.float64], epoch: int, values: torch.Tensor) -> None:
    flat = values.detach().double().flatten().numpy()
    counts, edges = np.histogram(flat, BINS)
    assert row[:4].tolist() == [epoch, edges[0], edges[-1], 0]
    assert row[4:].tolist() == counts.tolist()


def test_a_run_keeps_those_of_the_first_step_of_each_epoch_and_of_the_end(tiny: str) -> None:
    experiment = load(tiny, [ON, "model.dropout=0"])
    tables = tables_of(stored_runs.find(str(training.run(experiment).run_id)))
    built = build(experiment)
    batch = next(iter(built.data.train_dataloader()))
    built.module.train()
    size = built.data.batch_size
    built.task_module.batch_loss(tuple(part[:size] for part in batch))[1].backward()
    parameters = dict(built.task_module.architecture.named_parameters())
    assert {name.partition("/")[2] for name in tables} == set(parameters)
    for name, parameter in parameters.items():
        assert tables[f"weights/{name}"][:, 0].tolist() == [0, 1, 2]
        assert tables[f"gradients/{name}"][:, 0].tolist() == [0, 1]
        if parameter.dim() > 1:
            assert_is_histogram(tables[f"weights/{name}"][0], 0, parameter)
            gradient = tables[f"gradients/{name}"][0]
            assert parameter.grad is not None
            assert gradient[1:3] == pytest.approx([float(parameter.grad.min()), float(parameter.grad.max())], rel=1e-4)


def test_the_last_rows_are_the_weights_of_the_end_and_the_training_is_the_same(tiny: str) -> None:
    looked, plain = (
        stored_runs.find(str(training.run(load(tiny, overrides)).run_id)) for overrides in ([ON], ["seed=0"])
    )
    last = checkpoint_files.read(looked.artifact("checkpoints/last.ckpt"))["state_dict"]
    for name, values in last.items():
        assert_is_histogram(tables_of(looked)[f"weights/{name.removeprefix('architecture.')}"][-1], 2, values)
    assert looked.tags["lab.loss_chain"] == plain.tags["lab.loss_chain"]
    with pytest.raises(LabError):
        plain.artifact(FILE)


@pytest.mark.parametrize(
    ("values", "start", "counts"),
    [
        (torch.tensor([0.0, 0.0]), [0, 0, 0], {0: 2}),
        (torch.tensor([0.0, torch.nan, 32.0, torch.inf, 1.5]), [0, 32, 2], {0: 1, 1: 1, 31: 1}),
        (torch.empty(0), [0, 0, 0], {}),
        (torch.tensor([torch.nan]), [0, 0, 1], {}),
        (torch.tensor([-3e38, 3e38]), pytest.approx([-3e38, 3e38, 0]), {0: 1, 31: 1}),
        (torch.tensor([1.0, 1 + 2**-52], dtype=torch.float64), pytest.approx([1, 1, 0]), {0: 2}),
        (torch.tensor([-1.7e308, 1.7e308], dtype=torch.float64), [-1.7e308, 1.7e308, 0], {0: 2}),
        (torch.tensor([0.0, 32.0], dtype=torch.bfloat16), [0, 32, 0], {0: 1, 31: 1}),
        (torch.tensor([0.0 + 32j]), [0, 32, 0], {0: 1, 31: 1}),
        (
            torch.sparse_coo_tensor(torch.tensor([[1]]), torch.tensor([32.0]), (3,), check_invariants=True),
            [0, 32, 0],
            {0: 2, 31: 1},
        ),
    ],
)
def test_every_kind_of_tensor_has_a_row(values: torch.Tensor, start: list[float], counts: dict[int, int]) -> None:
    row = row_of(7, values)
    assert row[0] == 7
    assert row[1:4].tolist() == start
    assert {number: int(count) for number, count in enumerate(row[4:]) if count} == counts


def test_a_long_run_keeps_every_so_many_epochs() -> None:
    assert histograms.Histograms(100)._every == 1
    assert histograms.Histograms(101)._every == 2
    assert histograms.Histograms(1000)._every == 10


def test_a_run_that_fails_keeps_what_there_was(tiny: str) -> None:
    with pytest.raises(TrainingFailed):
        training.run(load(tiny, [ON, "optimizer={kind: sgd, lr: 1.0e30}"]))
    (failed,) = open_tables().states().index
    tables = tables_of(stored_runs.find(failed))
    assert {tuple(rows[:, 0]) for rows in tables.values()} == {(0,)}


def test_what_a_run_cannot_look_at_is_said_before_it_is_recorded(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(values: torch.Tensor) -> None:
        raise NotImplementedError("no such conversion")

    monkeypatch.setattr(histograms, "_numbers", fails)
    with pytest.raises(LabError, match=r"trainer\.histograms: mlp fails to be looked at: .*no such conversion"):
        training.run(load(tiny, [ON]))
    training.run(load(tiny))


def test_studies_and_comparisons_of_earlier_versions_are_recognised(tiny: str) -> None:
    assert "trainer.histograms" not in load(tiny).identity()
