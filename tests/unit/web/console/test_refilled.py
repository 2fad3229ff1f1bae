"""A form that is refused is shown again as it was sent, and the problem beside its field."""

from dataclasses import dataclass, field

import pytest
from sqlalchemy import update
from werkzeug.datastructures import MultiDict

from preference_center.core.staff import forms
from preference_center.core.staff_vocab import ListState
from preference_center.store.tables import FrozenListRow
from preference_center.web.console.refilled import PROBLEM_ID, SentForm, refilled
from tests.support import make
from tests.support.console import Console, ConsolePage
from tests.unit.web.console.test_double_clicks import form, send

PERSON, UNKNOWN = (
    f"/console/people/{make.id_of()}",
    f"/console/people/{make.id_of('eve@example.org')}",
)
SENTENCE = 'They said: "no & <never>".\r\nTwice.'


@dataclass
class Refused:
    """A form: its page, its button, what is entered, and the field of the problem."""

    page: str
    button: str
    entered: dict[str, str | list[str]]
    about: str = ""
    corrected: dict[str, str] = field(default_factory=dict)


FORMS = [
    Refused(
        "/console/topics",
        "Add a topic",
        {"slug": "No slug", "name": "Offers", "description": SENTENCE, "cadence": "weekly"},
        "slug",
        {"slug": "offers"},
    ),
    Refused(
        "/console/topics/weekly-news",
        "Save names and descriptions",
        {"name-de": "x" * 101, "description-de": SENTENCE},
        "name-de",
        {"name-de": "Woche"},
    ),
    Refused(
        "/console/keys",
        "Create a key",
        {"name": "shop", "scope": ["links", "topics"], "expires": "2020-01-01"},
        "expires",
        {"expires": ""},
    ),
    Refused("/console/webhooks", "Add a webhook", {"url": "http://127.0.0.1/x"}, "url"),
    Refused("/console/?span=90", "Add the note", {"day": "2010-01-01", "text": "New"}, "day"),
    Refused(
        PERSON, "Unsubscribe", {"what": "weekly-news", "note": SENTENCE}, "", {"channel": "phone"}
    ),
    Refused(UNKNOWN, "Unsubscribe", {"note": SENTENCE}, "", {"channel": "phone"}),
    Refused(
        PERSON,
        "Record the complaint",
        {"channel": "letter", "text": SENTENCE, "received": "2001-01-01"},
        "received",
    ),
    Refused(
        "/console/data", "Export", {"purpose": "for ada@example.org", "output": "csv"}, "purpose"
    ),
]


@pytest.mark.parametrize("each", FORMS, ids=lambda each: f"{each.page} {each.button}")
def test_what_was_sent_is_still_in_the_form(console: Console, each: Refused) -> None:
    console = Console(console.site, may_export=True)
    path, data = console.page(each.page).form_of(each.button)
    sent = data | {name: _list(value) for name, value in each.entered.items()}
    answer = console.post(path, **sent)
    page = ConsolePage(answer, 422)
    again, filled = page.form_of(each.button)
    assert again == path
    assert filled == sent | {"once": filled["once"], "csrf_token": filled["csrf_token"]}
    assert page.title.startswith("Error: ")
    described = [
        one.get("name") for one in page.root.iter() if PROBLEM_ID in one.get("aria-describedby", "")
    ]
    assert described == [each.about][: len(each.about)]
    if each.corrected:
        assert console.post(again, **filled | each.corrected).status_code in (200, 303)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_page_does_not_say_again_what_was_changed_before(console: Console) -> None:
    page = console.page(f"{PERSON}?said=adjusted")
    assert "Changed. No email confirms it." in page.text
    path, data = page.form_of("Unsubscribe")
    again = ConsolePage(console.post(path, **data), 422)
    assert again.title.startswith("Error: ")
    assert "Changed. No email confirms it." not in again.text


def test_a_page_that_is_shown_again_does_not_renew_itself(console: Console) -> None:
    """The address that it would ask for is that of the form."""
    console = Console(console.site, may_export=True)
    path = console.post("/console/lists/preview", what="all", note="Too many").location
    with console.site.database.transaction() as session:
        session.execute(update(FrozenListRow).values(state=ListState.RUNNING))
    assert "console.js" in console.get(path).text
    fields = {"list": path.rpartition("/")[2], "shown_on": path, "purpose": "for ada@example.org"}
    again = ConsolePage(console.post("/console/lists/export", output="csv", **fields), 422)
    assert again.title.startswith("Error: ")  # A `ConsolePage` has no script.


def test_a_page_that_fails_says_nothing_of_the_form(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(console.site.app.view_functions, "console.topics", lambda: 1 / 0)
    answer = console.post("/console/topics/add", slug="No slug", shown_on="/console/topics")
    assert "What you entered" not in ConsolePage(answer, 500).text


def test_the_form_is_not_in_closed_details(console: Console) -> None:
    path, data = console.page("/console/").form_of("Add the note")
    shown = console.post(path, **data | {"day": ["2010-01-01"]}).text
    before, _, _ = shown.partition('action="/console/day-notes"')
    assert before.rpartition("<details")[2].startswith(" open><summary>Add a note")


@pytest.mark.parametrize(
    "shown_on",
    ["", "/console/nowhere", "/console/me?x=\N{EURO SIGN}", "/u/x", "/console/staff/invite"],
)
def test_without_its_page_or_form_what_was_sent_can_be_copied(
    console: Console, shown_on: str
) -> None:
    answer = console.post("/console/topics/add", slug="No", description=SENTENCE, shown_on=shown_on)
    page = ConsolePage(answer, 422)
    assert page.heading == "That did not work"
    assert 'They said: "no & <never>". Twice.' in page.text


def test_a_form_of_another_session_is_shown_as_text_only(console: Console) -> None:
    answer = console.post("/console/topics/add", csrf_token="x", slug="offers", name=SENTENCE)
    page = ConsolePage(answer, 400)
    assert "They said" in page.text
    assert not list(page.main.iter("form"))


def test_a_form_that_was_sent_before_is_not_offered_again(console: Console) -> None:
    data = form(console, {"slug": "offers", "name": "Offers", "shown_on": "/console/topics"})
    send(console, "/console/topics/add", data)
    console.site.now += 2 * forms.REPEATED_WITHIN
    answer = send(console, "/console/topics/add", data)
    assert (answer.status_code, "/topics/add" in answer.text) == (422, False)
    assert "may have been done when the form was first sent" in answer.text
    assert "was not stored" not in answer.text


def test_only_what_is_typed_or_chosen_is_filled_in() -> None:
    form = """<form action="/a?x=1"><input type="hidden" name="to" value="{to}">
<input type="password" name="key"><input type="file" name="file">
<input name="word" value="a"><input name="word"><input type="checkbox" name="on" checked>
<textarea name="text">
a &amp; b</textarea><select name="one"><option selected>x<option value="y">Y</select></form>"""
    page = f"<!doctype html><html><body>&amp;'{form.format(to=1)}{form.format(to=2)}</body></html>"
    values = MultiDict(
        [
            ("to", "2"),
            ("key", "k"),
            ("file", "f"),
            ("word", '"1\0"'),
            ("word", "2"),
            ("text", "<"),
            ("one", "y"),
        ]
    )
    found = refilled(page, SentForm("/a", values))
    assert found is not None
    first, _, second = found.replace("\n", "").partition("</form>")
    kept = page.partition("</form>")[0].replace("\n", "")
    assert first == kept.replace("<option value", "</option><option value").replace(
        "Y</select>", "Y</option></select>"
    )
    assert second == (
        '<form action="/a?x=1" id="sent-form"><input type="hidden" name="to" value="2">'
        '<input type="password" name="key"><input type="file" name="file">'
        """<input name="word" value='"1 "'><input name="word" value="2">"""
        '<input type="checkbox" name="on"><textarea name="text">&lt;</textarea>'
        '<select name="one"><option>x</option><option value="y" selected>Y</option></select>'
        "</form></body></html>"
    )
    assert refilled(page, SentForm("/b", values)) is None
