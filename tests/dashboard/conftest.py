"""A filled store, and empty caches for each test."""

from pathlib import Path

import pytest
import streamlit as st
from made_runs import Filled, fill


@pytest.fixture(autouse=True)
def no_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def filled(workplace: Path) -> Filled:
    return fill()
