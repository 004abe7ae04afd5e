"""What every page uses: charts and tables, automatic refresh, and errors shown as messages."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import store_reads, text
from dashboard.figures.chart import HEIGHT, Chart
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

REFRESH_SECONDS = 3
CHART_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}
PICTURE_FORMATS = ("svg", "png")
PICTURE = "picture-format"  # a key of the session state
DRAWN = "pictures-drawn"  # another one: whether this page has any
VIEW = "view"  # a key of the session state and of the address
MAX_ROWS = 5_000
LINKS = {"open", "compare"}  # columns of tables
TEXT_COLOURS = {"light": "#31333F", "dark": "#FAFAFA"}  # of Streamlit's themes


def run_page(page: Callable[[], None]) -> None:
    """Run a page; a LabError becomes a message on it."""
    with showing_errors():
        page()


@contextmanager
def showing_errors() -> Iterator[None]:
    """Show a LabError raised in the block as a message on the page."""
    try:
        yield
    except LabError as error:
        for line in error.lines:
            st.error(text.escape_markdown(line, 500))


def rerun_on_change(table: RunTable, ids: Sequence[str] | None = None) -> None:
    """Rerun the page when these runs (None: any run) have changed in the store."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def poll() -> None:
        with showing_errors():
            latest = store_reads.runs()
            if latest is not table and (ids is None or _changed(latest, table, ids)):
                st.rerun()

    poll()


def _changed(latest: RunTable, before: RunTable, ids: Sequence[str]) -> bool:
    present = [run for run in ids if run in latest.info.index]
    return len(present) < len(ids) or not latest.info.loc[present].equals(before.info.loc[present])


def choose_view(views: Sequence[str]) -> str:
    """The view of a page that the address names, else the first, and the control that changes it.

    The address is set here, and not by `bind`, so that each view is an entry of the browser's history.
    """
    asked = st.query_params.get(VIEW)
    st.session_state[VIEW] = asked if asked in views else views[0]
    st.segmented_control("View", views, required=True, key=VIEW, on_change=_remember_view, label_visibility="collapsed")
    return str(st.session_state[VIEW])


def _remember_view() -> None:
    st.query_params[VIEW] = st.session_state[VIEW]


def show_chart(chart: Chart, key: str, description: str, selectable: bool = False) -> list[dict[str, Any]]:
    """A chart with its notes and a switch that shows its data as a table; `description` is for screen readers.

    Returns the points that are clicked, if they can be.
    """
    place = st.container()
    with st.container(horizontal=True, horizontal_alignment="right"):
        if chart.notes:
            st.caption(text.escape_markdown(" · ".join(chart.notes), 400))
        as_table = st.toggle("table", key=f"{key}-table", bind="query-params", width="content")
    with place:
        if not as_table:
            return _show_figure(chart, key, description, selectable)
        show_table(chart.table.head(MAX_ROWS), key)
        if len(chart.table) > MAX_ROWS:
            st.caption(f"the first {MAX_ROWS:,} of {text.count(len(chart.table), 'row')}")
    return []


def _show_figure(chart: Chart, key: str, description: str, selectable: bool) -> list[dict[str, Any]]:
    st.session_state[DRAWN] = True
    _darken_labels(chart)
    picture = {"format": st.session_state.get(PICTURE, PICTURE_FORMATS[0]), "filename": key}
    config = CHART_CONFIG | {"toImageButtonOptions": picture}
    options: Any = {"on_select": "rerun", "selection_mode": "points"} if selectable else {}
    event: Any = st.plotly_chart(chart.figure, key=key, config=config, alt=description, **options)
    return list(event["selection"]["points"]) if selectable else []


def _darken_labels(chart: Chart) -> None:
    """Give axis labels the colour of the page's text; Streamlit's grey has a contrast of 3.7 : 1."""
    colour = TEXT_COLOURS["dark" if st.context.theme.type == "dark" else "light"]
    for update in (chart.figure.update_xaxes, chart.figure.update_yaxes):
        update(tickfont_color=colour, title_font_color=colour)
    bar = {"tickfont_color": colour, "title_font_color": colour}
    chart.figure.update_traces(
        marker_colorbar=bar, selector=lambda trace: trace.type == "scatter" and trace.marker.showscale
    )
    fonts = {f"{part}font_color": colour for part in ("label", "tick", "range")}
    chart.figure.update_traces(selector={"type": "parcoords"}, line_colorbar_tickfont_color=colour, **fonts)


def show_table(frame: pd.DataFrame, name: str = "", rows: int | None = None, note: str = "") -> None:
    """A table as high as its rows, at most as high as a chart; of more than `rows` it scrolls.

    Missing values are blank, numbers have four digits, and a column `open` or `compare` holds links: these stand beside
    the first one. Its corner has a CSV download; with a name it can be downloaded as LaTeX, too, beside the note.
    """
    frame = _links_first(frame)
    height = table_height(min(len(frame), rows or len(frame)))
    config: dict = {column: st.column_config.NumberColumn(format="%.4g") for column in frame.select_dtypes("float")}
    for link in LINKS & set(frame):
        config[link] = st.column_config.LinkColumn("", display_text=link, width="small")
    st.dataframe(frame, hide_index=True, height=height, placeholder="", column_config=config)
    with st.container(horizontal=True, vertical_alignment="center"):
        if note:
            st.caption(note, width="content")
        if name:
            _offer_latex(frame.drop(columns=list(LINKS), errors="ignore"), name)


def _links_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its links beside the first column: at its right end a narrow screen does not show them."""
    ends = [column for column in frame if column in LINKS]
    return frame[[*frame.columns[:1], *ends, *(column for column in frame.columns[1:] if column not in LINKS)]]


def _offer_latex(frame: pd.DataFrame, name: str) -> None:
    file, key = f"{name}.tex", f"{name}-latex"
    content = lambda: text.latex(frame)  # noqa: E731
    st.download_button("LaTeX", content, file, "text/x-tex", key=key, on_click="ignore", type="tertiary")


def select_rows(frame: pd.DataFrame, key: str) -> list[int]:
    """A table as of `show_table`, with boxes at its left; returns the rows that are ticked."""
    config = {"open": st.column_config.LinkColumn("", display_text="open", width="small")}
    event: Any = st.dataframe(
        _links_first(frame),
        key=key,
        hide_index=True,
        placeholder="",
        column_config=config,
        on_select="rerun",
        selection_mode="multi-row",
    )
    return list(event["selection"]["rows"])


def show_picture_format() -> None:
    """The choice of what the camera above each picture saves, on a page that has one."""
    if not st.session_state.pop(DRAWN, False):
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.caption("the camera above a picture saves", width="content")
        st.segmented_control(
            "Format of pictures",
            PICTURE_FORMATS,
            default=PICTURE_FORMATS[0],
            required=True,
            key=PICTURE,
            label_visibility="collapsed",
        )


def table_height(rows: int) -> int:
    """The height in pixels of a table with so many rows, at most that of a chart."""
    return min(HEIGHT, 38 + 35 * max(1, rows))
