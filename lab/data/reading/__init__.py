"""Reading files: tables, images, time columns and targets. Start in table_files.py."""
