"""Reading files: tables, images, times and targets. Start in table_files.py.

A plain column becomes numbers in table_files.py; number_formats.py finds how others are written, and
lab/data/encodings/cells.py parses them, in training and for new rows alike.
"""
