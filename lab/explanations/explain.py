"""`lab explain`: what a trained run pays attention to, and what it gets wrong. Read `explain` from top to bottom."""

from pathlib import Path
from tempfile import TemporaryDirectory

from lab.data.base import Split
from lab.errors import LabError
from lab.explanations import outcomes, samples
from lab.explanations.explanation import FOLDER, Explanation
from lab.explanations.importance import importance
from lab.explanations.trained import load
from lab.explanations.writing import Files
from lab.tracking import edits
from lab.tracking.reading import stored_runs

LARGEST_SEED = 2**32 - 1  # of NumPy's generator
NOTE_ON_TEST = "this is the test split: whoever now changes the model by it has no test left"


def explain(name: str, split: Split = "val", seed: int = 0, by: str = stored_runs.BEST_BY) -> Explanation:
    """Explain a run on a split, and keep what is found as files of the run, in place of what was found before.

    Raises LabError where there is no such run, where its data changed, or where there is nothing to explain.
    """
    if split not in ("val", "test"):
        raise LabError(f"split: must be val or test, not {split!r}")
    if not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise LabError(f"seed: must be a whole number from 0 to {LARGEST_SEED}, not {seed!r}")
    run = stored_runs.find(name, by)
    trained = load(run)
    if not trained.data.has(split):
        raise LabError(f"explain: run {run.id} has no samples in its {split} split")
    found = outcomes.outcomes(trained, split)
    lists = outcomes.lists(trained, split, found)
    numbers = outcomes.distinct(lists.values())
    explanation = Explanation(
        run_id=run.id,
        run_name=run.name,
        experiment=run.experiment,
        task=trained.data.task,
        split=split,
        seed=seed,
        metric=f"{split}/{trained.module.main_metric}",
        score=found.score,
        size=len(found),
        errors=None if found.wrong is None else int(found.wrong.sum()),
        importance=importance(trained, split, seed),
        lists={title: [numbers.index(number) for number in each] for title, each in lists.items()},
        samples=samples.described(trained, split, numbers, found),
        notes=[NOTE_ON_TEST] if split == "test" else [],
    )
    with TemporaryDirectory() as folder:
        Files(explanation, trained, found, numbers, Path(folder)).write()
        edits.replace_files(run.id, FOLDER, Path(folder))
    return explanation
