"""The training loops that the lab is measured against, written by hand on the lab's own network and data."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lab.config.experiment import Experiment, load
from lab.training.building import Built, build

SAME_WORK = ("scheduler.kind=constant", "trainer.gradient_clip_val=null")  # the loops by hand have neither


def experiment(name: str, batch_size: int, epochs: int, seed: int = 0) -> Experiment:
    """A shipped experiment, cut down to what a loop by hand does."""
    sizes = (f"data.batch_size={batch_size}", f"trainer.max_epochs={epochs}", f"seed={seed}")
    return load(name, [*SAME_WORK, *sizes])


def article(name: str, batch_size: int, epochs: int, threads: int | None = 1) -> None:
    """The usual loop: a DataLoader, and every figure asked for as it comes."""
    network, loss_of, train, val = parts(experiment(name, batch_size, epochs), threads)
    batches = DataLoader(train, batch_size=batch_size, shuffle=True)
    val_batches = DataLoader(val, batch_size=batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(epochs):
        network.train()
        total = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_of(network(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        network.eval()
        val_total, right = 0.0, 0
        with torch.no_grad():
            for x, y in val_batches:
                outputs = network(x)
                val_total += loss_of(outputs, y).item()
                right += (outputs.argmax(1) == y).sum().item()


def fastest(name: str, batch_size: int, epochs: int) -> None:
    """The fastest loop that we can write: batches cut from memory, a fused optimizer, nothing asked for on the way."""
    network, loss_of, train, val = parts(experiment(name, batch_size, epochs), 1)
    x, y = train.tensors
    val_x, val_y = val.tensors
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        network.train()
        total = torch.zeros(())
        for chosen in torch.randperm(len(x)).split(batch_size):
            loss = loss_of(network(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        network.eval()
        with torch.inference_mode():
            for part, truth in zip(val_x.split(batch_size), val_y.split(batch_size), strict=True):
                outputs = network(part)
                total += loss_of(outputs, truth)
                total += (outputs.argmax(1) == truth).sum()


def parts(of: Experiment, threads: int | None) -> tuple[nn.Module, nn.Module, TensorDataset, TensorDataset]:
    """Network, loss, training and validation data; `threads` None is torch's own number."""
    default = _default_threads()
    built = build(of)
    torch.set_num_threads(threads or default)
    return built.module.architecture, built.module.loss, _tensors(built, "train"), _tensors(built, "val")


def _tensors(built: Built, split: str) -> TensorDataset:
    dataset = built.data.splits[split]
    return TensorDataset(dataset.x, dataset.y)


def _default_threads() -> int:
    """What torch chooses where nobody does: a thread for each core."""
    import psutil

    return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
