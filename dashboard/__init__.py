"""The dashboard: pages on the runs of the store. It imports no training code.

app.py is the navigation and app_pages/ holds the pages. store_reads.py is the only module that reads the store;
charts.py turns data into figures. Start with app_pages/compare.py.
"""
