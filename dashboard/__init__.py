"""The dashboard: pages on the runs of the store. It imports no training code.

app.py is the navigation and app_pages/ holds the pages; each page has its parts in a package: compare/, run_page/,
outcome/, studies/. figures/ turns data into pictures, store_reads.py reads the store, and editing/ is all that changes
it. Start with app_pages/compare.py.
"""
