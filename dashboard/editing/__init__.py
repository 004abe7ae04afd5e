"""What the pages change in the store: names, tags, notes, archiving, and saved views."""
