"""What a run leaves and shows: its artifacts and figures, the progress bar, the summary in the terminal."""
