"""The race of studies: `lab study` with two workers against a plain script of PyTorch and Optuna, seed by seed."""

import statistics
import subprocess
import time
from pathlib import Path

import optuna
from benchmarks.measuring import Size, Table, Target, ratio, workplace
from benchmarks.processes import LAB, printed, python_until_first_line

from lab.config import experiment
from lab.studies import storage

SPACE = {
    "optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "optimizer.weight_decay": {"low": 1e-5, "high": 0.3, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.5},
}
BATCH = 64
WORKERS = 2
FASTER = 2  # times as many trials a minute


def measure(size: Size) -> Table:
    """The search alone: what the lab does after it, fresh seeds and a test, the script does not do at all."""
    storage.quiet_optuna()
    rows, targets = [], []
    for name in size.studied:
        lab, plain = zip(
            *((_lab(name, size, seed), _plain(name, size, seed)) for seed in range(size.races)), strict=True
        )
        faster = ratio([rate for rate, _ in lab], [rate for rate, _ in plain])
        better = [ours - theirs for (_, ours), (_, theirs) in zip(lab, plain, strict=True)]
        won = " / ".join(str(sum(sign * each > 0 for each in better)) for sign in (1, -1))
        middle = statistics.median(better)
        rates = (f"{statistics.median(rate for rate, _ in way):.0f}" for way in (lab, plain))
        best = (f"{statistics.median(score for _, score in way):.3f}" for way in (lab, plain))
        rows.append((name, *rates, f"{faster:.2f}", *best, f"{middle:+.3f}", won))
        targets += [
            Target(f"trials per minute, {name}: lab ÷ plain script", faster, FASTER, at_least=True),
            Target(f"best value, {name}: lab − plain script", middle, 0.0, at_least=True),
        ]
    return Table(
        "Studies",
        (
            "network",
            "lab, trials a minute",
            "script",
            "ratio",
            "best val/accuracy, lab",
            "script",
            "lab − script",
            "won / lost",
        ),
        rows,
        f"{size.trials} trials of at most {size.epochs} epochs, {size.races} seeds; Hyperband, TPE, three settings, "
        "the experiment's own first; medians, of which those of ratio and difference are over the seeds' own, and the "
        "seeds that are neither won nor lost are ties; from starting the command to the end of the last trial. "
        f"The lab has {WORKERS} workers, and records every trial. The script is a loop by hand in one process with "
        "torch's own number of threads, imports torch and Optuna alone, and records nothing.",
        targets,
    )


def _lab(name: str, size: Size, seed: int) -> tuple[float, float]:
    """Trials a minute, and the best score."""
    with workplace():
        searched = _searched(name, size.epochs, seed)
        Path("experiments").unlink()  # the shipped ones
        Path("experiments").mkdir()
        Path("experiments", f"{name}.yaml").write_text(searched.to_yaml(), encoding="utf-8")
        counts = {"workers": WORKERS, "trials": size.trials, "top": 1, "seeds": 1}
        options = [word for key, value in counts.items() for word in (f"--{key}", str(value))]
        began = time.time()
        subprocess.run((LAB, "study", name, *options), capture_output=True, check=True)
        found = optuna.load_study(study_name=None, storage=storage.address())
        ended = max(trial.datetime_complete.timestamp() for trial in found.trials if trial.datetime_complete)
    return 60 * size.trials / (ended - began), found.best_value


def _plain(name: str, size: Size, seed: int) -> tuple[float, float]:
    """The same of the script; it takes its data from the lab, whose imports do not count."""
    imports = python_until_first_line("import torch, optuna; print('imported')")
    seconds, best = printed(
        "import time; from benchmarks import plain_study; began = time.perf_counter(); "
        f"best = plain_study.study({name!r}, {size.trials}, {size.epochs}, {BATCH}, {seed}); "
        "print(time.perf_counter() - began, best)"
    )
    return 60 * size.trials / (imports + seconds), best


def _searched(name: str, epochs: int, seed: int) -> experiment.Experiment:
    shipped = experiment.load(name)
    model = {**shipped.written["model"], "norm": "none"}
    sections = {"data": shipped.data.as_mapping() | {"batch_size": BATCH}, "model": model, "search": SPACE}
    sections |= {"optimizer": shipped.written["optimizer"], "trainer": {"max_epochs": epochs}, "seed": seed}
    sections |= {"checkpoints": {"monitor": "val/accuracy"}}  # the script's value is that of its best epoch, too
    return experiment.from_sections(name, shipped.question, sections)
