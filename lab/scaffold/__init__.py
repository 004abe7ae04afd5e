"""From somebody's data to an experiment file that trains as it is."""
