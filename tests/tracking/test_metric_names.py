"""Names of metrics as people write them."""

import pytest

from lab.tracking.reading.metric_names import chart_of, is_curve, split_of, without_ending


@pytest.mark.parametrize(
    ("name", "split", "rest"),
    [
        ("val/loss", "val", "loss"),
        ("val_loss", "val", "loss"),
        ("Validation-Accuracy", "val", "Accuracy"),
        ("valid_acc_epoch", "val", "acc_epoch"),
        ("eval/f1", "val", "f1"),
        ("train_loss_step", "train", "loss_step"),
        ("test_f1/dataloader_idx_0", "test", "f1/dataloader_idx_0"),
        ("loss/val", "val", "loss"),
        ("acc_test_epoch", "test", "acc_epoch"),
        ("lr-Adam", "", "lr-Adam"),
        ("value_loss", "", "value_loss"),
        ("contest", "", "contest"),
        ("val", "", "val"),
        ("at_best/val/loss", "", "at_best/val/loss"),
    ],
)
def test_the_split_is_the_first_word_or_the_last(name: str, split: str, rest: str) -> None:
    assert split_of(name) == (split, rest)


def test_what_lightning_adds_is_left_out() -> None:
    names = ("loss", "loss_step", "loss_epoch", "loss/dataloader_idx_12", "loss_epoch/dataloader_idx_0")
    assert {without_ending(name) for name in names} == {"loss"}
    assert without_ending("step_size") == "step_size"


def test_splits_share_a_chart_and_steps_have_their_own() -> None:
    assert {chart_of(name) for name in ("val_loss", "train_loss_epoch", "train/loss")} == {"loss"}
    assert chart_of("train/loss_step") == "loss_step"


def test_summaries_and_the_machines_load_are_no_curves() -> None:
    others = ("best/val/loss", "at_best/val_loss", "baseline/test/r2", "low/x", "high/x", "system/cpu", "best_epoch")
    assert not any(is_curve(name) for name in (*others, "epoch"))
    assert all(is_curve(name) for name in ("val_loss", "lr", "d_loss", "best_dice"))
