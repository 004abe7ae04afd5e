"""The dashboard: what the store holds, so that people see what matters. It imports no training code."""
