"""Whether a metric is better when it is higher: as its run says, else by a table of known names, else unknown."""

import json
from collections.abc import Iterable, Iterator, Mapping

from lab.tracking.reading.metric_names import SUMMARIES, split_of, without_ending

TAG = "lab.directions"  # of a run: its metrics, whole or without their split, and whether higher is better
# Names in use outside the lab: nothing is guessed from a part of a name.
HIGHER = """
    acc accuracy balanced_accuracy balanced_acc subset_accuracy top1 top5 f1 f1_score f1_macro macro_f1 f1_micro
    micro_f1 fbeta auc auroc roc_auc prauc auprc average_precision map precision recall sensitivity specificity lrap r2
    r2_score r2score explained_variance kappa mcc matthews iou jaccard dice bleu rouge skill psnr ssim reward
    log_likelihood samples_per_second
"""
LOWER = """
    loss mae mse rmse rmsle mape smape wape mase msle nll bce cross_entropy crossentropy log_loss logloss brier ece
    perplexity ppl error err error_rate wer cer fid hinge huber kl kld hamming_loss pinball mae_scaled rmse_scaled
    pinball_scaled seconds_per_epoch
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
    if (name := _said(metric, said)) is not None:
        return said[name]
    names = {_plain(each) for each in (metric, without_ending(metric))}
    return True if names & set(HIGHER.split()) else False if names & set(LOWER.split()) else None


def _plain(metric: str) -> str:
    """The last part of a name, without the split, as it stands in the table: `mine/val_Error-Rate` as `error_rate`."""
    last = split_of(metric)[1].rpartition("/")[2]
    return split_of(last)[1].lower().replace("-", "_")


def _said(metric: str, said: Mapping[str, bool]) -> str | None:
    """The name under which the direction of a metric is recorded: the whole, or without what stands around it."""
    return next((name for name in _shorter(metric) if name in said), None)


def _shorter(metric: str) -> Iterator[str]:
    """A name, and what remains of it without Lightning's endings, a summary, a split: `at_best/val/f1` to `f1`."""
    name = metric
    while True:
        yield name
        yield without_ending(name)
        first, slash, rest = name.partition("/")
        if not slash or not (split_of(name)[0] or f"{first}/" in SUMMARIES):
            return
        name = rest


def of_tags(metric: str, tags: Iterable[object]) -> bool | None:
    """The same, from the tags of some runs; None where nobody says so, or where they contradict each other."""
    said = _answers(metric, tags)
    return None if len(said) > 1 else next(iter(said), higher_is_better(metric, {}))


def contradictory(metric: str, tags: Iterable[object]) -> bool:
    """Whether a higher value of a metric is better in some runs and worse in others, as their tags say."""
    return len(_answers(metric, tags)) > 1


def _answers(metric: str, tags: Iterable[object]) -> set[bool]:
    """What the tags of runs say of a metric, each by itself: a name may mean something else in another experiment."""
    each = [recorded([tag]) for tag in set(tags)]
    return {said[name] for said in each if (name := _said(metric, said)) is not None}


def of_runs(metric: str, tags: Iterable[Mapping[str, str]], metrics: Iterable[Mapping[str, float]]) -> bool | None:
    """The same for some runs, from their tags and metrics; None where nobody says so, or where they contradict."""
    said = [each.get(TAG) for each in tags]
    shown = None if _answers(metric, said) else _shown(metric, metrics)
    return of_tags(metric, said) if shown is None else shown


def _shown(metric: str, metrics: Iterable[Mapping[str, float]]) -> bool | None:
    """Version 0.2 recorded no directions, but a run's best value, which lies on the better side of its others."""
    for values in metrics:
        at_best = values.get(f"at_best/{metric}")
        best = values.get(f"best/{metric}")
        if at_best is not None and best is not None and best != at_best:
            return best > at_best
    return None
