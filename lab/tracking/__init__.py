"""What a run leaves behind: a local journal, the sender that brings it to MLflow, and the reader."""
