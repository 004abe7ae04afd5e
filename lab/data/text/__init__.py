"""Texts to token numbers (N, L), for classification and regression. Start in texts.py.

`fitting` makes the tokenizer from the training texts, `docstrings` is a data set that every installation has;
`characters` reads one text for a model that says which character comes next.
"""
