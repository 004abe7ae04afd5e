"""A comparison as one HTML file that opens offline."""

import datetime
import html
from collections.abc import Sequence

import pandas as pd

from dashboard.charts import Picture

STYLE = """
body {font-family: system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222}
table {border-collapse: collapse; font-size: .9rem} td, th {border: 1px solid #ccc; padding: .25rem .5rem}
th {text-align: left}
div.wide {overflow-x: auto} p.note {color: #666} p.warning {background: #fff3cd; padding: .5rem}
"""


def page(
    title: str,
    pictures: Sequence[tuple[str, Picture]],
    tables: Sequence[tuple[str, pd.DataFrame]],
    warnings: Sequence[str] = (),
    address: str = "",
) -> str:
    """The whole file: pictures and tables under their headings; every foreign text is escaped."""
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>",
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>",
        f"<p class='note'>{datetime.datetime.now():%Y-%m-%d %H:%M}. {html.escape(address)}</p>",
    ]
    parts += [f"<p class='warning'>{html.escape(warning)}</p>" for warning in warnings]
    for number, (heading, picture) in enumerate(pictures):
        figure = picture.figure.to_html(full_html=False, include_plotlyjs=number == 0)
        notes = html.escape(" · ".join(picture.notes))
        parts.append(f"<h2>{html.escape(heading)}</h2>{figure}<p class='note'>{notes}</p>")
    for heading, table in tables:
        rows = table.to_html(index=False, na_rep="", escape=True, border=0, float_format="%.5g")
        parts.append(f"<h2>{html.escape(heading)}</h2><div class='wide'>{rows}</div>")
    return "\n".join(parts)
