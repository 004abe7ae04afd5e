"""Figures of runs, as pure functions of data: curves, scatter plots, parallel coordinates. No Streamlit."""
