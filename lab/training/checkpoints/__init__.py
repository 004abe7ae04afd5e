"""Checkpoints: when they are written (`callback`), how (`files`), and which epoch is the best (`best_epoch`)."""
