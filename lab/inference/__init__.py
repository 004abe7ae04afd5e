"""Using a trained model: predictions for new data (model.py, files.py), and other formats (export.py)."""
