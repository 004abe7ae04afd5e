"""Ten questions, clicked from Home in a browser: python tests/benchmarks/questions.py ADDRESS [WORDS OF A QUESTION]

Prints the clicks and seconds until the answer is on the page; typing is not counted. The store needs two finished runs
of classes among the latest results, a setting that was varied over seeds, a run with dropout 0.3, and a study.
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

DONE = "[data-testid=stApp][data-test-script-state=notRunning]"
TABLE = "[data-testid=stDataFrame]"
ROW = 35  # pixels


@dataclass
class Walk:
    """A way from Home to an answer, with its clicks counted."""

    page: Any
    clicks: int = 0
    began: float = field(default_factory=time.perf_counter)

    def settle(self) -> None:
        self.page.wait_for_selector(DONE)
        self.page.wait_for_timeout(300)

    def click(self, target: Any) -> None:
        target.first.click()
        self.clicks += 1
        self.settle()

    def go_to(self, page: str) -> None:
        self.click(self.page.get_by_role("link", name=page, exact=True))

    def link(self, text: str) -> None:
        self.click(self.page.locator("[data-testid=stPageLink], [data-testid=stButton]").filter(has_text=text))

    def view(self, name: str) -> None:
        self.click(self.page.get_by_role("radio", name=name, exact=True))

    def tick(self, heading: str, *rows: int) -> None:
        """Tick rows of the first table below a heading."""
        for row in rows:
            box = self._table(heading)
            self.page.mouse.click(box["x"] + 16, box["y"] + ROW * (row + 1) + ROW / 2)
            self.clicks += 1
            self.settle()

    def open_first(self, heading: str) -> None:
        """Click the link `open` in the first row of the table below a heading; it opens a tab, which is followed."""
        box = self._table(heading)
        y = box["y"] + ROW * 1.5
        for x in range(int(box["width"]) - 10, 10, -12):
            self.page.mouse.move(box["x"] + x, y)
            self.page.wait_for_timeout(20)
            if self.page.evaluate("[...document.querySelectorAll('canvas')].some(c => c.style.cursor == 'pointer')"):
                break
        with self.page.context.expect_page() as opened:
            self.page.mouse.click(box["x"] + x, y)
        self.clicks += 1
        self.page = opened.value
        self.page.set_default_timeout(60_000)
        self.page.get_by_role("heading").first.wait_for()
        self.settle()

    def _table(self, heading: str) -> dict[str, float]:
        title = self.page.get_by_role("heading", name=heading, exact=True).first
        title.evaluate("element => element.scrollIntoView()")
        self.settle()
        below = title.bounding_box()["y"]
        boxes = [table.bounding_box() for table in self.page.locator(TABLE).all()]
        return dict(min((box for box in boxes if box["y"] > below), key=lambda box: box["y"]))


def best_of_ten(walk: Walk) -> None:
    walk.link("Compare the latest")
    walk.page.locator(TABLE).first.wait_for()


def differences(walk: Walk) -> None:
    walk.tick("Latest results", 0, 1)
    walk.link("Compare")
    walk.page.locator(".scatterlayer .trace").first.wait_for()


def is_better(walk: Walk) -> None:
    walk.go_to("Compare")
    walk.link("optimizer.lr: ")
    walk.page.get_by_text("against optimizer.lr=").or_(walk.page.get_by_text("than optimizer.lr=")).first.wait_for()


def coloured(walk: Walk) -> None:
    walk.go_to("Studies")
    walk.link("optimizer.lr")
    walk.page.locator("[data-testid=stPlotlyChart]").first.wait_for()


def with_dropout(walk: Walk) -> None:
    walk.go_to("Runs")
    text = walk.page.get_by_label("Text", exact=True)
    walk.click(text)
    text.fill("dropout=0.3")
    text.press("Enter")
    walk.page.wait_for_url("**text=dropout*")


def share(walk: Walk) -> None:
    walk.go_to("Runs")
    walk.click(walk.page.get_by_role("button", name="Save view"))
    name = walk.page.get_by_label("Name of the view", exact=True)
    name.fill("mine")
    name.press("Tab")
    walk.click(walk.page.get_by_role("button", name="Save", exact=True))


def download(walk: Walk) -> None:
    walk.go_to("Runs")
    with walk.page.expect_download():
        walk.click(walk.page.get_by_role("button", name="CSV"))


def wrong(walk: Walk) -> None:
    walk.open_first("The best of each experiment")
    walk.view("outcome")
    walk.page.locator(".heatmaplayer, .scatterlayer").first.wait_for()


def confusions(walk: Walk) -> None:
    walk.tick("Latest results", 0, 1)
    walk.link("confusion")
    walk.page.locator(".heatmaplayer").or_(walk.page.get_by_text("without a confusion matrix")).first.wait_for()


def importance(walk: Walk) -> None:
    walk.go_to("Studies")
    walk.view("importance")
    chart = walk.page.locator("[data-testid=stPlotlyChart]")
    chart.or_(walk.page.get_by_text("not estimated from")).first.wait_for()  # of few trials it says so


QUESTIONS: dict[str, Callable[[Walk], None]] = {
    "the best of my last ten runs, and why": best_of_ten,
    "what differs between two runs": differences,
    "is one learning rate better than another": is_better,
    "a study's curves coloured by a setting": coloured,
    "runs with dropout 0.3": with_dropout,
    "share a view": share,
    "download the runs": download,
    "what does the best model get wrong": wrong,
    "how do two confusion matrices differ": confusions,
    "which setting matters": importance,
}


def main(address: str, only: str = "") -> None:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    print("| question | clicks | seconds |\n|---|---|---|")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for question, way in QUESTIONS.items():
            if only not in question:
                continue
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(60_000)
            page.goto(address)
            page.get_by_role("heading", name="Latest results").wait_for()
            page.wait_for_selector(DONE)
            walk = Walk(page)
            way(walk)
            print(f"| {question} | {walk.clicks} | {time.perf_counter() - walk.began:.1f} |", flush=True)
            assert walk.clicks <= 3, question
            page.context.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
