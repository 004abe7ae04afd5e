"""How long `fit` is held up by what is recorded, and how fast that gets into the store."""

from benchmarks.measuring import Size, Table, Target, timed, workplace
from benchmarks.stock import logger

from lab.tracking.writing.logger import JournalLogger
from lab.tracking.writing.outbox import Outbox

MOST_STOCK = 300  # records by MLFlowLogger: at milliseconds each


def measure(size: Size) -> Table:
    """Records of one value each, through Lightning's logger interface."""
    with workplace():
        outbox = Outbox()
        tracker = outbox.tracker()
        tracker.start("bench", "records", {}, {})
        journal = JournalLogger(tracker)
        held = timed(lambda: _log(journal, size.records))
        tracker.end("FINISHED")
        sent = held + timed(outbox.close)
        stock = logger()
        _log(stock, 1)  # makes its database
        few = min(size.records, MOST_STOCK)
        stock_held = timed(lambda: _log(stock, few))
    per_thousand, stock_per_thousand = 1e6 * held / size.records, 1e6 * stock_held / few
    rows = [
        ("lab", f"{size.records:,}", f"{per_thousand:.1f}", f"{size.records / sent:,.0f}"),
        ("MLFlowLogger", f"{few:,}", f"{stock_per_thousand:,.0f}", f"{few / stock_held:,.0f}"),
    ]
    return Table(
        "Logging",
        ("logger", "records", "fit held up per 1,000, ms", "records per second into the store"),
        rows,
        "A record is one `log_metrics` call with one value. The sender's start is counted.",
        [Target("time `fit` is held up per 1,000 records", per_thousand, 5.0, unit=" ms")],
    )


def _log(logger_, records: int) -> None:
    for step in range(records):
        logger_.log_metrics({"train/loss": 0.5 + step}, step=step)
