"""How results are shown to a person: numbers as text, tables and bars in a terminal or a notebook."""
