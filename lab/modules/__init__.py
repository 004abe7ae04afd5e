"""LightningModules: an architecture wrapped for one task."""
