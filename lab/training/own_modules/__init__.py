"""A user's own LightningModule in a run: what is recorded of it, and Lightning's private parts that this needs."""
