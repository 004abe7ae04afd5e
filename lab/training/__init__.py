"""One run: build, rehearse, fit, go back to the best epoch, test, record. Start in run.py."""
