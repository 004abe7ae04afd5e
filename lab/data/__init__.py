"""Data modules: they read, split, scale and serve each kind of data. Start in base.py.

`reading` parses files, `encodings` turn raw rows into numbers, `loaders` serve batches in a seeded order.
"""
