"""A view is saved under a name, listed on Home as a link, and deleted; notes are Markdown."""

import pytest
from made_runs import Filled
from pages import opened_page, texts

from dashboard.editing import saved_views as view_links
from lab.errors import LabError
from lab.tracking import edits, saved_views
from lab.tracking.saved_views import SavedView


def click(app: object, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()  # type: ignore[attr-defined]


def test_a_view_of_runs_is_saved_listed_and_deleted(filled: Filled) -> None:
    app = opened_page("runs", experiment="digits", text="lr=0.1")
    app.text_input(key="view-name-runs").set_value("Fast (ones) é")
    click(app, "Save")
    (view,) = saved_views.all_views()
    assert (view.name, view.page) == ("Fast (ones) é", "runs")
    assert view.query["text"] == "lr=0.1"
    home = opened_page("home")
    assert "](/runs?" in texts(home)
    assert "text=lr%3D0.1" in texts(home)
    home.button(key=f"delete-{view.key}").click().run()
    assert saved_views.all_views() == []
    assert "Saved views" not in texts(home)


def test_a_view_of_compare_opens_as_it_was(filled: Filled) -> None:
    query = {"runs": ",".join(filled.seeds), "group": "all but the seed", "view": "results"}
    app = opened_page("compare", **query)
    app.text_input(key="view-name-compare").set_value("rates")
    click(app, "Save")
    (view,) = saved_views.all_views()
    again = opened_page(view.page, **{name: str(value) for name, value in view.query.items()})
    assert "6 runs in 2 groups" in texts(again)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81])
def test_a_view_without_a_name_is_refused(filled: Filled, name: str) -> None:
    with pytest.raises(LabError, match="a view needs a name"):
        saved_views.save(name, "runs", {})


def test_a_view_that_is_too_long_for_a_tag_is_refused(filled: Filled) -> None:
    with pytest.raises(LabError, match="too many runs"):
        saved_views.save("all", "compare", {"runs": "0123abcd," * 600})


def test_a_view_of_the_same_name_takes_the_place_of_the_first(filled: Filled) -> None:
    saved_views.save("mine", "runs", {"text": "a"})
    saved_views.save("mine", "runs", {"text": "b"})
    assert [view.query for view in saved_views.all_views()] == [{"text": "b"}]


def test_an_address_cannot_break_out_of_its_link() -> None:
    view = SavedView("k", "n", "runs", {"text": "a) [b](javascript:x"})
    assert not set(view_links.address(view)) & set("()[] ")


def test_a_note_is_written_on_the_page_run_and_shown_as_markdown_without_pictures(filled: Filled) -> None:
    run = filled.seeds[0]
    app = opened_page("run", run=run)
    app.text_area(key=f"edit-note-{run}").set_value("**bold** ![x](http://example.com/x.png)")
    click(app, "Save note")
    assert filled.client.get_run(run).data.tags[edits.NOTE].startswith("**bold**")
    assert "**bold** [x](http" in texts(opened_page("run", run=run))


def test_a_pinned_run_is_listed_on_home_until_it_is_unpinned(filled: Filled) -> None:
    run = filled.seeds[0]
    click(opened_page("run", run=run), "Pin")
    home = opened_page("home")
    assert "Pinned" in [heading.value for heading in home.subheader]
    click(opened_page("run", run=run), "Unpin")
    assert "Pinned" not in [heading.value for heading in opened_page("home").subheader]
