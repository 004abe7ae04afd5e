"""A comparison as one HTML file that opens offline."""

import datetime
import html
from collections.abc import Sequence

import pandas as pd

from dashboard.figures.chart import Chart

STYLE = """
body {font-family: system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222}
table {border-collapse: collapse; font-size: .9rem} td, th {border: 1px solid #ccc; padding: .25rem .5rem}
th {text-align: left}
div.wide {overflow-x: auto} p.note {color: #666} p.warning {background: #fff3cd; padding: .5rem}
"""


def to_html(
    title: str,
    charts: Sequence[tuple[str, Chart]],
    tables: Sequence[tuple[str, pd.DataFrame]],
    warnings: Sequence[str] = (),
) -> str:
    """The charts and tables under their headings; all text is escaped, and plotly.js is included once."""
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>",
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>",
        f"<p class='note'>{datetime.datetime.now():%Y-%m-%d %H:%M}</p>",
    ]
    parts += [f"<p class='warning'>{html.escape(warning)}</p>" for warning in warnings]
    for index, (heading, chart) in enumerate(charts):
        figure = chart.figure.to_html(full_html=False, include_plotlyjs=index == 0)
        notes = html.escape(" · ".join(chart.notes))
        parts.append(f"<h2>{html.escape(heading)}</h2>{figure}<p class='note'>{notes}</p>")
    for heading, table in tables:
        rows = table.to_html(index=False, na_rep="", escape=True, border=0, float_format="%.5g")
        parts.append(f"<h2>{html.escape(heading)}</h2><div class='wide'>{rows}</div>")
    return "\n".join(parts)
