"""Architectures: plain `torch.nn.Module`s, independent of Lightning, MLflow and data files."""
