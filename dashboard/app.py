"""The navigation of the dashboard; `make dashboard` starts it."""

import streamlit as st

from dashboard import components

# An SVG of our own: Streamlit would fetch the icon of an emoji or a Material name from the internet.
ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke='#0080C8' stroke-width='2'>"
    "<path d='M2 2v12h12M4 4c2 7 5 7 9 7'/></svg>"
)
# Streamlit leaves 8 rem above a page. The class of a container's key is the documented hook for styles.
STYLE = (
    "<style>.st-key-page {margin-top: -3.5rem} .st-key-page h1 {font-size: 1.8rem; padding: .5rem 0}"
    ".st-key-page [data-testid=stMarkdownContainer] table code {overflow-wrap: anywhere; white-space: normal}"
    "@media (max-width: 640px) {.st-key-page {margin-top: -2rem}}</style>"
)
# The chosen view is written in Streamlit's primary colour, whose contrast in the dark is 3.7 : 1.
STYLE_OF_DARK = "<style>[data-testid=stButtonGroup] [aria-checked=true] * {color: #FF8A95}</style>"
PAGES = [
    st.Page("app_pages/home.py", title="Home", icon=":material/home:", default=True),
    st.Page("app_pages/runs.py", title="Runs", icon=":material/table_rows:"),
    st.Page("app_pages/compare.py", title="Compare", icon=":material/stacked_line_chart:"),
    st.Page("app_pages/run.py", title="Run", icon=":material/insights:"),
    st.Page("app_pages/studies.py", title="Studies", icon=":material/tune:"),
    st.Page("app_pages/verdicts.py", title="Verdicts", icon=":material/balance:"),
    st.Page("app_pages/concepts.py", title="Concepts", icon=":material/school:"),
]

st.set_page_config(page_icon=ICON, layout="wide")  # before the navigation, whose icons would be fetched otherwise
page = st.navigation(PAGES, position="top")
st.set_page_config(page_title=f"{page.title} · The lab")
st.html(STYLE + (STYLE_OF_DARK if st.context.theme.type == "dark" else ""))
with st.container(key="page"):
    components.run_page(page.run)
    components.show_picture_format()
