"""Image files: which there are (`folders`, `lists`), what their headers say, their pixels (`files`)."""
