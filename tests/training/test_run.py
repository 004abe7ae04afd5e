"""Whole runs: trained, tracked in a real store, tested once, and tested again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.config.experiment import load
from lab.errors import LabError, TrainingFailed
from lab.tracking import models, store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.training import reproduce
from lab.training import run as training


def run(name: str, *overrides: str) -> tuple[training.Result, StoredRun]:
    result = training.run(load(name, overrides))
    assert result.run_id is not None
    return result, stored_runs.find(result.run_id)


def only_run() -> StoredRun:
    (found,) = store.client().search_runs(["1"])
    return stored_runs.find(found.info.run_id)


class TestATrackedRun:
    """One run of two epochs, looked at from all sides."""

    @pytest.fixture
    def finished(self, tiny: str) -> tuple[training.Result, StoredRun]:
        return run(tiny, "optimizer.lr=0.02", "trainer.log_every_n_steps=5", "trainer.profiler=simple")

    def test_everything_is_recorded(self, finished: tuple[training.Result, StoredRun]) -> None:
        result, stored = finished
        assert (stored.status, stored.name, stored.experiment) == (
            "FINISHED",
            f"tiny {' '.join(result.experiment.overrides)}",
            "tiny",
        )
        assert stored.params["optimizer.lr"] == "0.02"
        assert stored.params["optimizer.beta1"] == "0.9"
        assert stored.params["loss.kind"] == "cross_entropy"
        assert stored.params["seed"] == "0"
        self.check_metrics(result, stored)
        self.check_tags(stored)
        self.check_artifacts(stored)
        self.check_model(stored)

    def check_metrics(self, result: training.Result, stored: StoredRun) -> None:
        for name in ("train/loss", "val/accuracy", "val/f1", "lr", "gradient_norm", "seconds_per_epoch"):
            assert [m.step for m in stored.client.get_metric_history(stored.id, name)] == [1, 2]
        steps = [m.step for m in stored.client.get_metric_history(stored.id, "train/loss_step")]
        assert steps == [5, 10, 15, 20]
        for name, value in result.metrics.items():
            if name.startswith("test/"):
                assert stored.metrics[name] == value
        history = {m.step: m.value for m in stored.client.get_metric_history(stored.id, "val/loss")}
        (best,) = stored.client.get_metric_history(stored.id, "best/val/loss")
        assert (best.value, best.step) == (min(history.values()), min(history, key=history.__getitem__))
        assert stored.metrics["best_epoch"] == best.step == result.best_epoch
        assert stored.metrics["baseline/test/accuracy"] < stored.metrics["test/accuracy"]

    def check_tags(self, stored: StoredRun) -> None:
        for name in (
            "data.fingerprint",
            "data.split_fingerprint",
            "version.torch",
            "machine.threads",
            "machine.device",
        ):
            assert stored.tags[name]
        assert stored.tags["lab.question"] == "Does it run?"

    def check_artifacts(self, stored: StoredRun) -> None:
        for name in (
            "config.yaml",
            "model_summary.txt",
            "split.npz",
            "checkpoints/best.ckpt",
            "checkpoints/last.ckpt",
            "confusion_matrix.json",
            "figures/confusion_matrix.png",
            "figures/learning_curves.png",
            "profile/fit-simple.txt",
        ):
            assert stored.artifact(name).stat().st_size > 0, name
        weights = torch.load(stored.artifact("checkpoints/best.ckpt"), weights_only=True)["state_dict"]
        assert "architecture.head.weight" in weights  # opens with plain torch

    def check_model(self, stored: StoredRun) -> None:
        """mlflow.pyfunc predicts as the lab does, from raw inputs, in a process that knows no lab."""
        (model_id,) = [output.model_id for output in stored.client.get_run(stored.id).outputs.model_outputs]
        code = (
            "import sys, numpy as np, mlflow\n"
            "from sklearn.datasets import load_digits\n"
            f"mlflow.set_tracking_uri({store.tracking_uri()!r})\n"
            "x = load_digits().images[:, None].astype(np.float32)\n"
            f"for uri in ('models:/{model_id}', 'runs:/{stored.id}/model'):\n"
            "    predicted = mlflow.pyfunc.load_model(uri).predict(x)\n"
            "    np.save('predicted.npy', predicted)\n"
            "assert 'lab' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        from lab.training.building import build
        from lab.training.checkpoints.callback import load_weights

        built = build(load("tiny"))
        load_weights(built.module, stored.artifact("checkpoints/best.ckpt"))
        from sklearn.datasets import load_digits

        x = torch.as_tensor(load_digits().images[:, None], dtype=torch.float32)
        with torch.no_grad():
            expected = built.predictor()(x).numpy()
        np.testing.assert_allclose(np.load("predicted.npy"), expected, atol=1e-6)
        counts = np.array(__import__("json").loads(stored.artifact("confusion_matrix.json").read_text())["counts"])
        test = built.data.split_indices["test"]
        right = expected[test].argmax(1) == load_digits().target[test]
        assert counts.trace() == right.sum()
        assert stored.metrics["test/accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize("name", ["breast_cancer", "sunspots"])
def test_a_run_tested_again_from_its_own_record_gives_the_same_metrics_to_the_last_bit(
    workplace: Path, name: str
) -> None:
    result, _ = run(name, "trainer.max_epochs=2")
    assert result.run_id is not None
    (workplace / "experiments" / f"{name}.yaml").unlink()  # the record is enough
    again, logged = reproduce.test_again(result.run_id[:10])
    assert again == logged
    assert set(again) == {name for name in result.metrics if name.startswith("test/")}


def test_two_runs_with_the_same_seed_have_identical_metrics_and_weights(tiny: str) -> None:
    (one, first), (same, second) = run(tiny), run(tiny)
    assert one.metrics == same.metrics
    for name in ("best", "last"):
        weights = [
            torch.load(stored.artifact(f"checkpoints/{name}.ckpt"), weights_only=True)["state_dict"]
            for stored in (first, second)
        ]
        assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))


def test_a_loss_that_is_not_finite_ends_the_run_as_failed_and_keeps_its_records(tiny: str) -> None:
    with pytest.raises(TrainingFailed, match="the loss became"):
        training.run(load(tiny, ["optimizer={kind: sgd, lr: 1e30}"]))
    stored = only_run()
    assert stored.status == "FAILED"
    assert "the loss became" in stored.tags["lab.failure"]
    assert stored.artifact("config.yaml").exists()


def test_without_a_tracking_server_the_run_goes_on_and_its_records_wait(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.tracking.writing import leftovers, outbox

    monkeypatch.setattr(outbox, "PATIENCE", 3.0)
    with monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        result = training.run(load(tiny))
    assert result.metrics["test/accuracy"] > 0
    assert result.run_id is None
    assert result.delivery.pending > 10
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert leftovers.send_all()[1]
    assert only_run().metrics["test/accuracy"] == result.metrics["test/accuracy"]


OWN_NETWORKS = """
import sys
from torch import nn

class Base(nn.Module):
    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.net = nn.Linear(in_features, out_features)
        self.calls = 0

class Branching(Base):
    def forward(self, x):
        return self.net(x.flatten(1)) if x.sum() > 0 else self.net(-x.flatten(1))

class Exiting(Base):
    def forward(self, x):
        self.calls += 1
        if self.calls > 20:
            sys.exit(0)
        return self.net(x.flatten(1))
"""


@pytest.fixture
def own_networks(workplace: Path) -> None:
    (workplace / "own_networks.py").write_text(OWN_NETWORKS)


def test_a_network_that_cannot_be_exported_ends_finished_and_says_so(tiny: str, own_networks: None) -> None:
    result = training.run(load(tiny, ["model={kind: 'own_networks:Branching'}"]))
    stored = only_run()
    assert stored.status == "FINISHED"
    assert stored.metrics["test/accuracy"] == result.metrics["test/accuracy"]
    assert stored.tags["lab.incomplete"].startswith("without an exported model: ")
    assert ("incomplete", stored.tags["lab.incomplete"]) in result.notes
    with pytest.raises(LabError, match="is FINISHED and has no model: without an exported model"):
        models.logged_model_id(stored)


def test_sys_exit_in_own_code_is_a_failure(tiny: str, own_networks: None) -> None:
    with pytest.raises(TrainingFailed, match=r"sys.exit\(0\) was called"):
        training.run(load(tiny, ["model={kind: 'own_networks:Exiting'}"]))
    assert only_run().status == "FAILED"
    assert "sys.exit(0) was called" in only_run().tags["lab.failure"]


def test_a_run_without_test_metrics_cannot_be_tested_again(tiny: str) -> None:
    with pytest.raises(TrainingFailed):
        training.run(load(tiny, ["optimizer={kind: sgd, lr: 1e30}"]))
    with pytest.raises(LabError, match="is FAILED and has no test metrics"):
        reproduce.test_again(only_run().id)
