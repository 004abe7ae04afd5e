"""Reading files: tables, images, columns of times, and the column to predict. Start in table_files.py."""
