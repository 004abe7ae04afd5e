"""Whether a metric is better when it is higher: as its run says, else by a table of known names, else unknown."""

import json
from collections.abc import Iterable, Mapping

TAG = "lab.directions"  # of a run: its metrics without their split, and whether higher is better
SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "eval")
# Names in use outside the lab: nothing is guessed from a part of a name.
HIGHER = """
    acc accuracy balanced_accuracy top1 top5 f1 f1_score fbeta auc auroc roc_auc prauc auprc average_precision map
    precision recall sensitivity specificity r2 r2_score explained_variance kappa mcc matthews iou jaccard dice bleu
    rouge skill psnr ssim reward elbo log_likelihood samples_per_second
"""
LOWER = """
    loss mae mse rmse rmsle mape smape wape mase msle nll bce cross_entropy crossentropy log_loss logloss brier ece
    perplexity ppl error err error_rate wer cer fid hinge huber kl kld mae_scaled rmse_scaled seconds_per_epoch
"""


def as_tag(directions: Mapping[str, bool]) -> dict[str, str]:
    """The tag of a run with these metrics."""
    return {TAG: json.dumps(dict(sorted(directions.items())))}


def recorded(tags: Iterable[object]) -> dict[str, bool]:
    """What the tags of some runs say, together; a run without the tag, or with a damaged one, says nothing."""
    found: dict[str, bool] = {}
    for tag in tags:
        try:
            content = json.loads(tag) if isinstance(tag, str) else {}
        except ValueError:
            continue
        if isinstance(content, dict):
            found |= {str(name): value for name, value in content.items() if isinstance(value, bool)}
    return found


def higher_is_better(metric: str, said: Mapping[str, bool]) -> bool | None:
    """Whether a metric, such as `val/accuracy`, is better when it is higher; None where nobody says so."""
    name = metric
    while name.partition("/")[0] in (*SPLITS, "best", "at_best", "baseline"):
        name = name.partition("/")[2]
    if name in said:
        return said[name]
    last = name.rpartition("/")[2].lower().replace("-", "_")
    first, _, rest = last.partition("_")
    known = rest if first in SPLITS else last
    names = {known, known.removesuffix("_epoch"), known.removesuffix("_step")}  # as Lightning adds them
    return True if names & set(HIGHER.split()) else False if names & set(LOWER.split()) else None


def of_runs(metric: str, tags: Iterable[Mapping[str, str]], metrics: Iterable[Mapping[str, float]]) -> bool | None:
    """The same for some runs, from their tags and metrics; None where nobody says so."""
    said = recorded(each.get(TAG) for each in tags)
    shown = None if metric.partition("/")[2] in said else _shown(metric, metrics)
    return higher_is_better(metric, said) if shown is None else shown


def _shown(metric: str, metrics: Iterable[Mapping[str, float]]) -> bool | None:
    """Version 0.2 recorded no directions, but a run's best value, which lies on the better side of its others."""
    for values in metrics:
        at_best = values.get(f"at_best/{metric}")
        best = values.get(f"best/{metric}")
        if at_best is not None and best is not None and best != at_best:
            return best > at_best
    return None
