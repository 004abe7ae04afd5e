"""Many processes that log to one SQLite store at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rows import Row

from lab.tracking import store

CODE = """
import json, sys
from lab.tracking.writing.outbox import Outbox
number, records = int(sys.argv[1]), int(sys.argv[2])
outbox = Outbox()
tracker = outbox.tracker()
tracker.start("crowd", f"process {number}", {"number": number}, {})
for step in range(records):
    tracker.metrics({"value": number + step / 1000, "same": 1.0}, step)
tracker.end("FINISHED")
delivery = outbox.close()
print(json.dumps([delivery.run_ids.get(tracker.id), delivery.pending, delivery.error]))
"""


def run(folder: Path, processes: int = 8, records: int = 2_000) -> Row:
    """All records of all processes are in the store, once, and no sender met trouble."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        store.client()  # a store that exists: that eight make it at once is another matter
        started = [
            subprocess.Popen(
                [sys.executable, "-c", CODE, str(number), str(records)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for number in range(processes)
        ]
        ends = [process.communicate(timeout=300) for process in started]
        errors, lost = 0, 0
        for number, (out, err) in enumerate(ends):
            run_id, waiting, trouble = json.loads(out)
            errors += bool(err) + bool(trouble)
            lost += waiting
            history = store.client().get_metric_history(run_id, "value")
            expected = [(step, number + step / 1000) for step in range(records)]
            lost += len(set(expected) - {(point.step, point.value) for point in history})
            errors += len(history) != records
    finally:
        os.chdir(before)
    held = processes if not errors and not lost else 0
    fault = f"{processes} processes log to one SQLite store"
    return Row(fault, processes, held, f"{errors} errors, {lost} of {processes * records:,} records lost")
