"""`lab new`: from your data to an experiment file that trains without changes.

Start in writing.py. inspection.py looks at the data, leakage.py for leaks, recipes.py chooses the settings.
table_recipe.py has those for tables.
"""
