"""Texts to token numbers (N, L), for classification and regression. Start in texts.py.

`fitting` makes the tokenizer from the training texts, `token_datasets` serves batches no longer than their longest
text.
"""
