"""The pages of docs/concepts in the browser, five of them with a picture that answers to controls.

`texts` reads the pages; each other file is one picture: arithmetic in NumPy, a chart, and its controls.
"""
