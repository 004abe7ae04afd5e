"""Architectures: plain `torch.nn.Module`s that know nothing of Lightning, MLflow or data files."""
