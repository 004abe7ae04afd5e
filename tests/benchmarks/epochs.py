"""What an epoch costs: the lab against loops by hand and against stock Lightning with its MLflow logger."""

from collections.abc import Callable
from functools import partial

from benchmarks import loops, stock
from benchmarks.measuring import Size, Table, Target, interleaved, marginal, ratio, timed, workplace

from lab.tracking.writing.outbox import Outbox
from lab.training import run as training

STOCK_EPOCH = 0.4  # seconds, about, that the logger's writes take in each


def measure(size: Size) -> Table:
    """The seconds an epoch adds, in ratios, for every architecture and batch size."""
    rows, targets = [], []
    for name in size.architectures:
        for batch_size in size.batch_sizes:
            row, more = _row(name, batch_size, size)
            rows.append(row)
            targets += more
    return Table(
        "Time per epoch",
        (
            "architecture",
            "batch",
            "lab ÷ article's loop",
            "lab ÷ fastest loop",
            "lab ÷ stock Lightning + MLflow",
            "article's loop, default threads ÷ 1 thread",
            "lab, ms",
        ),
        rows,
        "An epoch is training and validation, with tracking and checkpoints at their defaults for the lab and for "
        "stock Lightning; the loops by hand record nothing. Marginal time: a long run less a run of one epoch. "
        "The same network, data, loss and optimizer (AdamW; no schedule, no clipping), one thread.",
        targets,
    )


def _row(name: str, batch_size: int, size: Size) -> tuple[tuple[str, ...], list[Target]]:
    with workplace():
        outbox = Outbox()
        measured = interleaved(_calls(name, batch_size, size.seconds, outbox), size.pairs)
        outbox.close()
    lab = measured["lab"]
    ratios = {other: ratio(lab, measured[other]) for other in ("article", "fastest", "stock")}
    threads = ratio(measured["default threads"], measured["article"])
    figures = [f"{value:.2f}" for value in (*ratios.values(), threads)]
    what = f"{name}, batch {batch_size}: lab ÷"
    targets = [Target(f"{what} article's loop", ratios["article"], 1.0)]
    if name in ("lstm", "gru", "conv2d"):
        targets.append(Target(f"{what} fastest loop", ratios["fastest"], 1.15))
    if (name, batch_size) == ("mlp", 32):
        targets.append(Target(f"{what} stock Lightning + MLFlowLogger", ratios["stock"], 0.15))
    return (name, str(batch_size), *figures, f"{1000 * sorted(lab)[len(lab) // 2]:.0f}"), targets


def _calls(name: str, batch_size: int, seconds: float, outbox: Outbox) -> dict[str, Callable[[], float]]:
    """What is measured, each with about as many epochs as fill the seconds."""

    def lab(epochs: int) -> None:
        """As `training.run`, which would also wait for the sender to have sent all; it works beside this."""
        training.train(loops.experiment(name, batch_size, epochs), outbox.tracker())

    by_hand, stocked = partial(loops.article, name, batch_size), partial(stock.train, name, batch_size)
    by_hand(1)  # whatever the process does once, and the data's own cache
    epoch = timed(lambda: by_hand(2)) / 2
    stocked(1)
    lab(1)
    many, few = max(1, round(seconds / epoch)), max(1, round(seconds / (epoch + STOCK_EPOCH)))
    return {
        "lab": marginal(lab, many),
        "article": marginal(by_hand, many),
        "stock": marginal(stocked, few),
        "fastest": marginal(partial(loops.fastest, name, batch_size), many),
        "default threads": marginal(partial(by_hand, threads=None), many),
    }
