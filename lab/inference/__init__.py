"""Using a trained run: predictions for new data, and its model in other formats. Start in model.py."""
