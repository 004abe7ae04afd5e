"""Whether a metric is better when it is higher: as recorded, else by a known name, never by a guess."""

import pytest

from lab.tracking.reading import directions


@pytest.mark.parametrize(
    ("metric", "higher"),
    [
        *[(name, True) for name in ("val/accuracy", "accuracy", "val_acc", "test_f1_epoch", "eval/auc", "val/kappa")],
        *[(name, True) for name in ("val/skill", "at_best/val/r2", "samples_per_second", "Validation/Accuracy")],
        *[(name, False) for name in ("val/loss", "train_loss_step", "val/mape", "val/nll", "val/brier", "valid_rmse")],
        *[(name, False) for name in ("best/val/perplexity", "eval/error-rate", "seconds_per_epoch")],
        *[(name, False) for name in ("val_loss_epoch/dataloader_idx_1", "loss/val", "metrics/val_Loss")],
        *[(name, None) for name in ("val/wonder", "lossless", "gradient_norm", "lr", "val/f1_of_cats", "")],
    ],
)
def test_a_known_name_has_a_direction_and_no_other(metric: str, higher: bool | None) -> None:
    assert directions.higher_is_better(metric, {}) is higher


def test_what_the_run_says_comes_first() -> None:
    said = directions.recorded([directions.as_tag({"loss": True, "wonder": False})[directions.TAG]])
    assert said == {"loss": True, "wonder": False}
    assert directions.higher_is_better("val/loss", said) is True
    assert directions.higher_is_better("at_best/test/wonder", said) is False


def test_a_name_is_found_as_the_run_says_it_or_without_what_stands_around() -> None:
    said = {"val_wonder": True, "train/odd": False, "wonder": False}
    assert directions.higher_is_better("val_wonder", said) is True
    assert directions.higher_is_better("at_best/val_wonder_epoch", said) is True
    assert directions.higher_is_better("val/wonder/dataloader_idx_0", said) is False
    assert directions.higher_is_better("train/odd", said) is False
    assert directions.higher_is_better("train_wonder", said) is None


def test_damaged_tags_say_nothing() -> None:
    assert directions.recorded([None, float("nan"), "{", "[1]", '{"loss": "low"}']) == {}


def test_a_run_without_the_tag_shows_the_direction_by_its_best_value() -> None:
    rising = {"at_best/val/wonder": 0.5, "best/val/wonder": 0.7}
    falling = {"at_best/val/wonder": 0.5, "best/val/wonder": 0.3}
    same = {"at_best/val/wonder": 0.5, "best/val/wonder": 0.5}
    assert directions.of_runs("val/wonder", [{}], [same, rising]) is True
    assert directions.of_runs("val/wonder", [{}], [falling]) is False
    assert directions.of_runs("val/wonder", [{}], [same, {}]) is None
    tag = directions.as_tag({"wonder": False})
    assert directions.of_runs("val/wonder", [tag], [rising]) is False


def test_runs_that_contradict_each_other_say_nothing_together() -> None:
    up, down, other = (directions.as_tag({name: way})[directions.TAG] for name, way in TAGGED)
    assert directions.of_tags("val/score", [up, up, None]) is True
    assert directions.of_tags("val/score", [up, other]) is True
    assert directions.of_tags("val/score", [up, down]) is None
    assert directions.of_tags("val/score", []) is None
    assert directions.of_tags("val/loss", [None, up]) is False  # a known name
    assert [directions.contradictory(name, [up, down, other]) for name in ("val/score", "val/loss")] == [True, False]
    runs = [{directions.TAG: up}, {directions.TAG: down}]
    assert directions.of_runs("val/score", runs, [{"at_best/val/score": 0.5, "best/val/score": 0.7}]) is None


TAGGED = (("score", True), ("val/score", False), ("other", False))
