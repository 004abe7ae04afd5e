"""A comparison as one HTML file that opens offline: text, verdict, pictures, tables and links, without JavaScript."""

import datetime
import html
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from dashboard.figures import drawing
from dashboard.figures.chart import Chart

MAX_ROWS = 200  # of the values of a picture
STYLE = """
body {font-family: system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222}
table {border-collapse: collapse; font-size: .9rem} td, th {border: 1px solid #ccc; padding: .25rem .5rem}
th {text-align: left} svg {max-width: 100%; height: auto} p.text {white-space: pre-wrap}
div.wide {overflow-x: auto} p.note {color: #595959} p.warning {background: #fff3cd; padding: .5rem}
"""


@dataclass(frozen=True)
class Report:
    """What a report says: the text that somebody wrote, the verdict, and links (label, address), beside the pictures.

    Charts and tables each have a heading.
    """

    title: str
    charts: Sequence[tuple[str, Chart]]
    tables: Sequence[tuple[str, pd.DataFrame]]
    warnings: Sequence[str] = ()
    text: str = ""
    verdict: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()


def to_html(report: Report) -> str:
    """The report as a page; all text is escaped."""
    title = html.escape(report.title)
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>",
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style><h1>{title}</h1>",
        f"<p class='note'>{datetime.datetime.now():%Y-%m-%d %H:%M}</p>",
    ]
    parts += [f"<p class='text'>{html.escape(report.text.strip())}</p>"] if report.text.strip() else []
    if report.verdict:
        sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in report.verdict)
        parts.append(f"<h2>Verdict</h2><ul>{sentences}</ul>")
    parts += [f"<p class='warning'>{html.escape(warning)}</p>" for warning in report.warnings]
    parts += [_picture(heading, chart) for heading, chart in report.charts]
    parts += [f"<h2>{html.escape(heading)}</h2>{_table(table)}" for heading, table in report.tables]
    if report.links:
        links = "".join(f"<li><a href='{html.escape(to)}'>{html.escape(label)}</a></li>" for label, to in report.links)
        parts.append(f"<h2>In the dashboard</h2><ul>{links}</ul>")
    return "\n".join(parts)


def _picture(heading: str, chart: Chart) -> str:
    """A picture with its notes, and its values folded below; of a kind that cannot be drawn the values alone."""
    drawn = drawing.can_draw(chart.figure)
    shown = drawing.to_svg(chart.figure) if drawn else "<p class='note'>This picture is in the dashboard only.</p>"
    notes = html.escape(" · ".join(chart.notes))
    values = f"<details><summary>values</summary>{_table(values_of(chart.table))}</details>"
    return f"<h2>{html.escape(heading)}</h2>{shown}<p class='note'>{notes}</p>{values}"


def values_of(table: pd.DataFrame) -> pd.DataFrame:
    """The values of a picture in few rows: of curves their ends and extremes, else the first rows."""
    if not {"curve", "x", "y"} <= set(table):
        return table.head(MAX_ROWS)
    curves = table.groupby("curve", sort=False)["y"]
    found = curves.agg(points="size", first="first", lowest="min", highest="max", last="last")
    return found.reset_index()


def _table(table: pd.DataFrame) -> str:
    rows = table.to_html(index=False, na_rep="", escape=True, border=0, float_format="%.5g")
    return f"<div class='wide'>{rows}</div>"
