"""Names of metrics as people write them: `val/loss`, `val_loss`, `valid_acc_epoch`, `test_f1/dataloader_idx_0`."""

import re

TRAIN, VALIDATION, TEST = "train", "val", "test"
SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "eval": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
# Of a run of the lab: one value each, no curve.
SUMMARIES = ("best/", "at_best/", "baseline/", "quick_baseline/", "low/", "high/", "sd/")
SYSTEM = "system/"
FIRST_WORD = re.compile(r"^([a-zA-Z]+)[/_. -]+(.+)$")
LAST_WORD = re.compile(r"^(.+)[/_. -]+([a-zA-Z]+)$")
ENDINGS = re.compile(r"(?:_(?:step|epoch))?(?:/dataloader_idx_\d+)?$")  # as Lightning adds them


def split_of(name: str) -> tuple[str, str]:
    """The split that a metric is of (train, val, test, or "") and its name without it, as in ("val", "loss")."""
    if (found := FIRST_WORD.match(name)) and (split := SPLITS.get(found[1].lower())):
        return split, found[2]
    bare = without_ending(name)
    if (found := LAST_WORD.match(bare)) and (split := SPLITS.get(found[2].lower())):
        return split, found[1] + name[len(bare) :]
    return "", name


def without_ending(name: str) -> str:
    """A name without what Lightning adds: `_step`, `_epoch`, `/dataloader_idx_0`."""
    return ENDINGS.sub("", name)


def without_summary(name: str) -> str:
    """A name without what the lab puts before a summary: `low/test/accuracy` as `test/accuracy`."""
    return name.removeprefix(next((summary for summary in SUMMARIES if name.startswith(summary)), ""))


def chart_of(name: str) -> str:
    """The name of the chart that a metric shares with those of other splits: `loss` for train_loss_epoch and val_loss.

    Values of single steps have their own, since the lab numbers epochs where others number steps.
    """
    return split_of(name)[1].removesuffix("_epoch")


def is_curve(name: str) -> bool:
    """Whether a metric is one of the training with a value at every epoch or step: no summary, not of the machine."""
    return not name.startswith((*SUMMARIES, SYSTEM)) and name not in ("best_epoch", "epoch")
