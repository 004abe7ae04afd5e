"""The dashboard's navigation; `make dashboard` starts it."""

import streamlit as st

from dashboard import frame

st.set_page_config(page_title="The lab", layout="wide")
st.html("<style>.stMainBlockContainer {padding-top: 4.5rem}</style>")  # the default leaves a hand's breadth empty

PAGES = [
    st.Page("app_pages/home.py", title="Home", icon=":material/home:", default=True),
    st.Page("app_pages/runs.py", title="Runs", icon=":material/table_rows:"),
    st.Page("app_pages/compare.py", title="Compare", icon=":material/stacked_line_chart:"),
    st.Page("app_pages/run.py", title="Run", icon=":material/insights:"),
    st.Page("app_pages/studies.py", title="Studies", icon=":material/tune:"),
]

frame.guarded(st.navigation(PAGES, position="top").run)
