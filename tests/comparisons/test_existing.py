"""Comparisons of existing runs."""

from typing import Any

import pytest

from lab.comparisons import existing
from lab.comparisons.existing import How
from lab.config.experiment import load
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading import directions
from lab.tracking.writing.outbox import Outbox


def recorded(*runs: tuple[float, tuple[str, ...]], fingerprint: str = "same") -> list[str]:
    """The ids of runs in the store, each with an accuracy and the overrides that it was trained with."""
    outbox = Outbox()
    trackers = []
    for accuracy, overrides in runs:
        experiment = load("tiny", overrides)
        tracker = outbox.tracker()
        seed = experiment.seed
        tags = {"data.fingerprint": fingerprint, "data.split_fingerprint": f"{fingerprint} {seed}"}
        tracker.start("tiny", "tiny", experiment.settings(), tags)
        tracker.text("config.yaml", experiment.to_yaml())
        tracker.metrics({"at_best/val/accuracy": accuracy}, 1)
        tracker.end("FINISHED")
        trackers.append(tracker.id)
    run_ids = outbox.close().run_ids
    return [run_ids[tracker] for tracker in trackers]


def test_runs_are_grouped_by_what_differs_and_paired_by_seed(tiny: str) -> None:
    slow = recorded(*((0.5 + seed / 100, ("optimizer.lr=0.001", f"seed={seed}")) for seed in range(1, 7)))
    fast = recorded(*((0.7 + seed / 90, ("optimizer.lr=0.01", f"seed={seed}")) for seed in range(1, 7)))
    findings = existing.compare([*slow, *fast], How())
    assert findings.design.control == "optimizer.lr=0.001"
    (verdict,) = findings.verdicts.values()
    assert (verdict.state, verdict.n, verdict.superiority) == ("better", 6, 1.0)
    (welch,) = existing.compare([*slow, *fast], How(unpaired=True)).verdicts.values()
    assert (welch.state, welch.mean) == ("better", pytest.approx(verdict.mean))
    for runs, message in (
        (slow, "differ in nothing but their seeds"),
        ([*slow, fast[0]], "only 1 seeds are in every group"),
        ([*slow, slow[0], *fast], "is named twice"),
        ([*slow, *recorded((0.5, ("optimizer.lr=0.001", "seed=1"))), *fast], "has two runs with seed 1"),
    ):
        with pytest.raises(LabError, match=message):
            existing.compare(runs, How())
    looked = recorded((0.8, ("optimizer.lr=0.01", "seed=1", "trainer.histograms=true")))  # trained as the others
    (same,) = existing.compare([*slow, *fast[1:], *looked], How()).verdicts.values()
    assert same.n == 6
    with pytest.raises(LabError, match=r"--metric: run .* has no 'val/acuracy'; did you mean val/accuracy"):
        existing.compare([*slow, *fast], How("val/acuracy"))


def test_runs_with_other_data_or_budgets_are_refused(tiny: str) -> None:
    (one, longer) = recorded((0.5, ("optimizer.lr=0.01",)), (0.5, ("trainer.max_epochs=3",)))
    (elsewhere,) = recorded((0.5, ("optimizer.lr=0.02",)), fingerprint="other")
    with pytest.raises(LabError, match=r"were trained on different data .*cannot be compared"):
        existing.compare([one, elsewhere], How())
    with pytest.raises(LabError, match=r"different budgets .*use --unpaired"):
        existing.compare([one, longer], How())


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        ("threshold=0.5", "threshold=f1", True),
        ("threshold=0.5", "threshold=0.3", False),
        ("conformal=null", "conformal=0.8", True),
        ("combine_with_naive=false", "combine_with_naive=true", True),
    ],
)
def test_runs_that_differ_in_what_no_epoch_shows_are_not_compared_by_one(
    tiny: str, one: str, other: str, refused: bool
) -> None:
    runs = recorded(*((0.5, (setting, f"seed={seed}")) for setting in (one, other) for seed in range(1, 7)))
    setting = one.partition("=")[0]
    if refused:
        with pytest.raises(LabError, match=f"^--metric: these runs differ in {setting}, which acts once the network"):
            existing.compare(runs, How())
    else:
        existing.compare(runs, How())


def test_runs_on_different_folds_are_no_independent_pairs(tiny: str) -> None:
    folds = recorded(*((0.5, (f"optimizer.lr={lr}", f"fold={fold}/3")) for lr in (0.01, 0.1) for fold in (1, 2, 3)))
    with pytest.raises(LabError, match=r"^these runs were tested on different folds, .*`folds: 5` in a file in"):
        existing.compare(folds, How())


def foreign(*runs: tuple[dict[str, Any], dict[str, list[float]]], status: str = "FINISHED") -> list[str]:
    """The ids of runs that plain MLflow writes: params, and a history of each metric."""
    client = store.client()
    experiment = client.get_experiment_by_name("elsewhere")
    experiment_id = experiment.experiment_id if experiment else client.create_experiment("elsewhere")
    ids = []
    for params, metrics in runs:
        run = client.create_run(experiment_id)
        for name, value in params.items():
            client.log_param(run.info.run_id, name, value)
        for name, values in metrics.items():
            for step, value in enumerate(values):
                client.log_metric(run.info.run_id, name, value, step=step)
        client.set_terminated(run.info.run_id, status)
        ids.append(run.info.run_id)
    return ids


def by_rate(metric: str, *values: tuple[float, float]) -> list[str]:
    """Runs of two learning rates on the seeds 1, 2, ...; each metric has a better value in its middle."""
    return [
        run
        for side, rate in enumerate(("0.1", "0.2"))
        for seed, pair in enumerate(values, start=1)
        for run in foreign(({"lr": rate, "seed": seed}, {metric: [9.0, pair[side] - 0.1, pair[side]]}))
    ]


NOISE = (0.0, 0.011, -0.012, 0.004, 0.007, -0.005)
SEPARATE = [(0.3 + noise, 0.1 + noise / 2) for noise in NOISE]


class TestRunsOfOtherTools:
    """What plain MLflow or Lightning's MLFlowLogger wrote is compared like our own."""

    def test_the_reduction_is_to_be_said(self, tiny: str) -> None:
        runs = by_rate("val/loss", *SEPARATE)
        with pytest.raises(LabError, match=r"does not say which of its epochs is the best; add --reduce last or"):
            existing.compare(runs, How("val/loss"))
        last = existing.compare(runs, How("val/loss", reduce="last"))
        best = existing.compare(runs, How("val/loss", reduce="best"))
        assert [each.verdicts["lr=0.2"].state for each in (last, best)] == ["better", "better"]
        assert last.scores.of("lr=0.1")[1] == pytest.approx(0.3)
        assert best.scores.of("lr=0.1")[1] == pytest.approx(0.2)

    def test_a_run_that_says_its_best_epoch_needs_no_reduction_and_is_tested_there(self, tiny: str) -> None:
        runs = [
            run
            for side, rate in enumerate(("0.1", "0.2"))
            for seed, pair in enumerate(SEPARATE, start=1)
            for run in foreign(
                (
                    {"lr": rate, "seed": seed},
                    {"at_best/val_loss": [9.0, pair[side]], "val_loss": [0], "test_acc": [0.5]},
                )
            )
        ]
        found = existing.compare(runs, How("val_loss"))
        assert found.scores.of("lr=0.1")[1] == pytest.approx(0.3)
        assert existing.compare(runs, How("test_acc")).scores.of("lr=0.1")[1] == 0.5
        plain = by_rate("val_loss", *SEPARATE)
        with pytest.raises(LabError, match="does not say which of its epochs is the best"):
            existing.compare([*runs[:6], *plain[6:]], How("val_loss"))

    def test_a_lower_error_is_better_whatever_its_name(self, tiny: str) -> None:
        (verdict,) = existing.compare(by_rate("val/mape", *SEPARATE), How("val/mape", reduce="last")).verdicts.values()
        assert verdict.state == "better"

    def test_an_unknown_direction_is_asked_for(self, tiny: str) -> None:
        runs = by_rate("val/wonder", *SEPARATE)
        with pytest.raises(LabError, match="whether a higher val/wonder is better; add --higher-is-better or --lower"):
            existing.compare(runs, How("val/wonder", reduce="last"))
        for said, state in ((True, "worse"), (False, "better")):
            (verdict,) = existing.compare(
                runs, How("val/wonder", reduce="last", higher_is_better=said)
            ).verdicts.values()
            assert verdict.state == state

    def test_a_direction_that_contradicts_the_known_one_is_refused(self, tiny: str) -> None:
        with pytest.raises(LabError, match="val/loss is better when it is lower; leave out the option"):
            existing.compare(by_rate("val/loss", *SEPARATE), How("val/loss", reduce="last", higher_is_better=True))

    def test_runs_that_contradict_each_other_are_refused_whatever_is_said(self, tiny: str) -> None:
        runs = by_rate("val/wonder", *SEPARATE)
        for run, up in zip(runs, (True, False) * len(NOISE), strict=True):
            store.client().set_tag(run, directions.TAG, directions.as_tag({"wonder": up})[directions.TAG])
        for said in (None, True, False):
            with pytest.raises(LabError, match=r"^--metric: a higher val/wonder is better in some of these runs and"):
                existing.compare(runs, How("val/wonder", reduce="last", higher_is_better=said))

    @pytest.mark.parametrize(
        ("metric", "setting"), [("val/loss", "loss.kind"), ("val_loss", "loss.delta"), ("val/kappa", "metrics.kappa")]
    )
    def test_a_metric_that_means_something_else_in_some_runs_is_refused(
        self, tiny: str, metric: str, setting: str
    ) -> None:
        runs = by_rate(metric, *SEPARATE)
        for run, value in zip(runs, (*"a" * 6, *"b" * 6), strict=True):
            store.client().log_param(run, setting, value)
        with pytest.raises(LabError, match=f"^--metric: these runs differ in {setting}: {metric} is not the same in"):
            existing.compare(runs, How(metric, reduce="last"))

    def test_without_seeds_only_unpaired(self, tiny: str) -> None:
        runs = foreign(*(({"lr": rate}, {"val/loss": [value]}) for rate, value in ((1, 0.5), (1, 0.6), (2, 3), (2, 4))))
        with pytest.raises(LabError, match=r"records no seed to pair by .* use --unpaired"):
            existing.compare(runs, How("val/loss", reduce="last"))
        found = existing.compare(runs, How("val/loss", reduce="last", unpaired=True))
        assert found.verdicts["lr=2"].mean == pytest.approx(2.95)

    def test_failed_and_diverged_runs_are_the_worst_outcome(self, tiny: str) -> None:
        fine = by_rate("val/loss", *[(0.3, 0.3 + noise / 9) for noise in NOISE])
        diverged = foreign(({"lr": "0.2", "seed": 7}, {"val/loss": [float("nan")]}))
        failed = foreign(({"lr": "0.2", "seed": 8}, {"val/loss": [0.0]}), status="FAILED")
        partners = foreign(*(({"lr": "0.1", "seed": seed}, {"val/loss": [0.29]}) for seed in (7, 8)))
        found = existing.compare([*partners, *fine, *diverged, *failed], How("val/loss", reduce="last"))
        assert found.scores.failures("lr=0.2") == [7, 8]
        assert found.verdicts["lr=0.2"].arm_failures == 2
        assert found.verdicts["lr=0.2"].mean > 0

    def test_a_run_that_still_runs_is_refused(self, tiny: str) -> None:
        runs = foreign(({"lr": 1}, {"val/loss": [1.0]}), status="RUNNING")
        with pytest.raises(LabError, match="is RUNNING: only runs that ended by themselves can be compared"):
            existing.compare([*runs, *foreign(({"lr": 2}, {"val/loss": [1.0]}))], How("val/loss", reduce="last"))

    def test_a_run_that_is_named_twice_is_refused(self, tiny: str) -> None:
        runs = by_rate("val/loss", *SEPARATE)
        with pytest.raises(LabError, match="is named twice; leave one of them out"):
            existing.compare([*runs, runs[0]], How("val/loss", reduce="last", unpaired=True))

    def test_arms_share_the_error_rate_by_the_procedure_of_holm(self, tiny: str) -> None:
        near = [(0.3 + noise, 0.3 + noise + wobble) for noise, wobble in zip(NOISE, (0.4, -0.3, 0.1) * 2, strict=True)]
        runs = [*by_rate("val/loss", *SEPARATE), *by_rate("val/loss", *near)[len(NOISE) :]]
        for run in runs[2 * len(NOISE) :]:
            store.client().log_param(run, "kind", "third")
        found = existing.compare(runs, How("val/loss", reduce="last"))
        assert [(each.state, each.level) for each in found.verdicts.values()] == [
            ("better", existing.ALPHA / 2),
            ("undecided", existing.ALPHA),  # the other one leaves it its share
        ]
