"""Reading files: tables, images, times and targets. Start in table_files.py."""
