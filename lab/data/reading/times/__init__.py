"""Dates and times: the format of a column (`date_formats`), its cells (`dates`), and the steps of a series."""
