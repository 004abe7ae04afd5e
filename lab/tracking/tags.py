"""The tags by which a run in the store is known to the machine that wrote it."""

JOURNAL = "lab.journal"  # the tracker's id
OUTBOX = "lab.outbox"  # the folder of the journal, on the machine that HOST names
HOST = "machine.host"
HEARTBEAT = "lab.heartbeat"  # when the run's sender last reported, in milliseconds since 1970
