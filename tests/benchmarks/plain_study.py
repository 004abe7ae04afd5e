"""A search as one writes it in an afternoon: a loop by hand and Optuna, one process, nothing recorded."""

from collections.abc import Callable

import optuna
import torch
from benchmarks.loops import experiment, parts
from torch import nn
from torch.utils.data import DataLoader

from lab.architectures.convolution import Conv1dNet
from lab.architectures.perceptron import MLP
from lab.studies.samplers import make_pruner

# The networks of the lab's experiments with those names, without norm.
NETWORKS: dict[str, Callable[[float], nn.Module]] = {
    "mlp": lambda dropout: MLP(40, 10, 256, 2, dropout=dropout),
    "conv1d": lambda dropout: Conv1dNet(1, 10, 64, 4, 5, dropout=dropout, norm="none"),
    "breast_cancer": lambda dropout: MLP(30, 2, 32, 1, dropout=dropout),
}


def study(name: str, trials: int, epochs: int, batch_size: int, seed: int) -> float:
    """Search three settings, the experiment's own first; the best validation accuracy of any epoch."""
    own = experiment(name, batch_size, epochs, seed)
    _, _, train, val = parts(own, None)
    loss_of = nn.CrossEntropyLoss()
    torch.manual_seed(seed)

    def objective(trial: optuna.Trial) -> float:
        network = NETWORKS[name](trial.suggest_float("dropout", 0.0, 0.5))
        lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        decay = trial.suggest_float("weight_decay", 1e-5, 0.3, log=True)
        optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=decay)
        best = 0.0
        for epoch in range(epochs):
            network.train()
            for x, y in DataLoader(train, batch_size=batch_size, shuffle=True):
                optimizer.zero_grad()
                loss_of(network(x), y).backward()
                optimizer.step()
            network.eval()
            with torch.no_grad():
                right = sum((network(x).argmax(1) == y).sum().item() for x, y in DataLoader(val, batch_size=batch_size))
            best = max(best, right / len(val))
            trial.report(right / len(val), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return best

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed)
    found = optuna.create_study(direction="maximize", sampler=sampler, pruner=make_pruner("hyperband", epochs))
    optimizer, model = own.written["optimizer"], own.written["model"]
    found.enqueue_trial({name: optimizer[name] for name in ("lr", "weight_decay")} | {"dropout": model["dropout"]})
    found.optimize(objective, n_trials=trials)
    return found.best_value
