"""What a run is good for afterwards: predictions for new data, and its model in other formats."""
