"""The dashboard in a real browser."""

import re
import socket
import time
from pathlib import Path
from typing import Any

from made_runs import Filled
from mlflow.entities import Metric

TABLE = "[data-testid=stDataFrame] canvas"
TRACES = ".scatterlayer .trace"


def wait_for_curves(page: Any, amount: int) -> None:
    """Wait until so many curves are drawn; the failure message holds what the page shows instead."""
    from playwright.sync_api import TimeoutError as BrowserTimeout

    try:
        page.wait_for_function(f"document.querySelectorAll('{TRACES}').length == {amount}", polling=100)
    except BrowserTimeout:
        found = page.locator(TRACES).count()
        shown = page.locator("body").inner_text()
        raise AssertionError(f"{found} curves, not {amount}, on {page.url}:\n{shown}\n{page.errors}") from None


def settle(page: Any) -> None:
    """Wait until the page's script has ended and its table, if there is one, stays where it is."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    before, now = None, place_of_table(page)
    while now != before:
        page.wait_for_timeout(200)
        before, now = now, place_of_table(page)


def place_of_table(page: Any) -> Any:
    table = page.locator(TABLE).first
    return table.bounding_box() if table.count() else {}


def select_row(page: Any, row: int) -> None:
    """Tick the box at the left of a row of the table; the canvas has no elements to click."""
    settle(page)
    box = page.locator(TABLE).first.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 35 + 35 * row + 17)


def test_filter_select_and_compare(page: Any, address: str, filled: Filled) -> None:
    page.goto(f"{address}/runs")
    page.wait_for_selector(TABLE)
    page.get_by_text("10 of 10 runs").wait_for()
    page.get_by_label("Text", exact=True).fill("digits seed=1")
    page.get_by_label("Text", exact=True).press("Enter")
    page.get_by_text("2 of 10 runs").wait_for()
    select_row(page, 0)
    page.get_by_text("1 selected").wait_for()
    select_row(page, 1)
    page.get_by_text("2 selected").wait_for()
    assert "text=" in page.url
    assert "select=" in page.url
    page.locator("[data-testid=stPageLink]").get_by_text("Compare").click()
    page.get_by_role("heading", name="Compare").wait_for()
    wait_for_curves(page, 2)
    assert "runs=" in page.url


def test_the_legend_of_ten_lines_leaves_most_of_the_picture_to_them_on_a_phone(
    page: Any, address: str, filled: Filled
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/compare?runs={','.join([*filled.seeds, filled.evil, filled.broken, filled.running])}")
    wait_for_curves(page, 10)  # and the crosses of values that are not finite
    settle(page)
    assert page.locator(".legend .bg").first.bounding_box()["height"] <= 95
    assert page.locator(".nsewdrag").first.bounding_box()["height"] > 150


def test_switches_are_not_cut_on_a_small_laptop_and_curves_are_on_its_first_screen(
    page: Any, address: str, filled: Filled
) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    for path in (f"/run?run={filled.seeds[0]}", f"/compare?runs={','.join(filled.seeds)}&view=curves"):
        page.goto(f"{address}{path}")
        page.get_by_text("table", exact=True).first.wait_for()
        settle(page)
        labels = "[...document.querySelectorAll('[data-testid=stCheckbox] [data-testid=stMarkdownContainer]')]"
        cut = f"{labels}.filter(label => label.scrollWidth > label.clientWidth).map(label => label.textContent)"
        assert page.evaluate(cut) == []
        assert page.locator(".nsewdrag").first.bounding_box()["y"] < 700


def test_the_chosen_view_is_readable_in_the_dark(browser: Any, address: str, filled: Filled) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(f"{address}/run?run={filled.seeds[0]}")
    chosen = "[data-testid=stButtonGroup] [aria-checked=true] p"
    page.locator(chosen).first.wait_for()
    settle(page)
    colour = page.evaluate(f"getComputedStyle(document.querySelector('{chosen}')).color")
    assert colour == "rgb(255, 138, 149)"  # on the dark background 7 : 1; Streamlit's own colour has 3.7 : 1
    page.close()


def test_several_metrics_share_the_x_axis_and_the_cursor(page: Any, address: str, filled: Filled) -> None:
    page.goto(f"{address}/compare?runs={','.join(filled.seeds[:2])}&metric=val/loss&metric=train/loss")
    wait_for_curves(page, 4)
    settle(page)
    assert page.locator("[data-testid=stPlotlyChart]").count() == 1
    box = page.locator("[data-testid=stPlotlyChart]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    page.wait_for_selector(".spikeline", state="attached")
    page.wait_for_function(
        "document.querySelector('.hoverlayer').textContent.split('seed=1').length == 3"
    )  # both metrics


def test_group_by_seed_from_a_link(page: Any, address: str, filled: Filled) -> None:
    runs = ",".join(run[:8] for run in filled.seeds)
    page.goto(f"{address}/compare?runs={runs}")
    wait_for_curves(page, 6)
    page.get_by_label("Group by").click()
    page.get_by_role("option", name="all but the seed").click()
    page.get_by_text("6 runs in 2 groups").wait_for()
    wait_for_curves(page, 4)  # two means and two bands
    assert "group=" in page.url
    page.goto(page.url)
    page.get_by_text("6 runs in 2 groups").wait_for()
    wait_for_curves(page, 4)


def test_a_report_opens_offline(page: Any, address: str, filled: Filled, tmp_path: Path) -> None:
    page.goto(f"{address}/compare?runs={','.join([*filled.seeds, filled.evil])}")
    wait_for_curves(page, 7)
    page.get_by_role("button", name="Report").click()
    page.get_by_label("Your text").fill("What I wrote")
    page.get_by_label("Your text").press("Tab")
    page.get_by_text("3 words of yours").wait_for()
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export report").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    requests: list[str] = []
    page.context.set_offline(True)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    assert report.stat().st_size < 1_500_000
    assert page.locator("svg").count() == 1
    assert page.get_by_text("What I wrote").is_visible()
    assert page.get_by_role("link", name="all of these runs").get_attribute("href").startswith(f"{address}/compare")
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.get_by_text("What differs").is_visible()
    assert page.alerts == []


def test_each_view_is_an_entry_of_the_history(page: Any, address: str, filled: Filled) -> None:
    page.goto(f"{address}/run?run={filled.seeds[0][:8]}")
    shown = "[data-testid=stButtonGroup] [aria-checked=true]"
    for view in ("settings", "environment"):
        settle(page)
        page.get_by_role("radio", name=view).click()
        page.wait_for_url(f"**view={view}*")
    page.go_back()
    page.wait_for_url("**view=settings*")
    page.get_by_text("To train it again").wait_for()
    page.locator(shown, has_text="settings").wait_for()
    page.go_back()
    page.get_by_label("log y").wait_for(state="attached")
    assert page.url.startswith(f"{address}/run?")


def test_a_link_from_compare_to_itself_is_in_the_address(page: Any, address: str, filled: Filled) -> None:
    page.goto(f"{address}/compare")
    settle(page)
    page.get_by_role("button", name="runs of digits").click()
    page.wait_for_url("**runs=*")
    settle(page)
    page.get_by_role("radio", name="results").click()
    page.wait_for_url("**view=results*")
    assert "runs=" in page.url


def test_switches_are_in_the_address_and_the_picture_on_the_first_screen(
    page: Any, address: str, filled: Filled
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{address}/run?run={filled.seeds[0][:8]}&view=outcome")
    settle(page)
    assert page.locator("[data-testid=stPlotlyChart]").first.bounding_box()["y"] < 450
    page.get_by_text("table", exact=True).first.click()
    page.get_by_role("button", name="LaTeX").wait_for()
    assert "confusion-table=true" in page.url
    page.goto(page.url)
    page.get_by_role("button", name="LaTeX").wait_for()
    assert page.locator("[data-testid=stPlotlyChart]").count() == 0


def test_a_running_run_is_updated_live(page: Any, address: str, filled: Filled) -> None:
    page.goto(address)
    page.get_by_text("epoch 2 of 10").wait_for()
    now = int(time.time() * 1000)
    filled.client.log_batch(filled.running, metrics=[Metric("val/loss", 1.5, now, 3)])
    page.get_by_text("epoch 3 of 10").wait_for(timeout=20_000)
    filled.client.set_terminated(filled.running, "FINISHED")
    page.get_by_text("Latest results").wait_for(timeout=20_000)


def test_html_in_names_is_not_executed(page: Any, address: str, filled: Filled) -> None:
    for path in ("", "/runs", f"/run?run={filled.evil}", f"/compare?runs={filled.evil},{filled.seeds[0]}"):
        page.goto(f"{address}{path}")
        page.get_by_role("heading").first.wait_for()
        settle(page)
        page.wait_for_timeout(300)  # in which an image that is missing would raise its alert
        assert page.alerts == []
        assert page.locator("main img[src=x], [data-testid=stMain] img[src=x]").count() == 0


def test_pages_do_not_scroll_sideways_and_make_no_external_requests(page: Any, address: str, filled: Filled) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.set_viewport_size({"width": 390, "height": 844})
    compared = f"/compare?runs={','.join(filled.seeds)}"
    for path in ("", "/runs", f"/run?run={filled.seeds[0]}", compared, "/studies", "/concepts"):
        page.goto(f"{address}{path}")
        page.get_by_role("heading").first.wait_for()
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.evaluate(
            "(main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
        )
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []


def test_a_foreign_host_name_is_refused(address: str) -> None:
    port = int(address.rpartition(":")[2])
    request = (
        "GET /_stcore/stream HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(100).decode()
    assert re.match(r"HTTP/1.1 403", answer)
