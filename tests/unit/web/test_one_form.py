"""No press on the preferences page loses a choice: it is saved, or shown again."""

from collections.abc import Iterator
from datetime import UTC
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preference_center.core import subscriptions
from preference_center.core.vocab import Frequency, Pause
from tests.support import make
from tests.support.page import Page
from tests.support.site import Site, link

pytestmark = pytest.mark.integration

NAMES = {"weekly-news": "Weekly news", "offers": "Offers", "town-letter": "Town letter"}
STATES = st.sampled_from([None, "every", "weekly", "monthly", "paused"])
CHOICES = st.fixed_dictionaries(
    {"on": st.booleans(), "often": st.sampled_from([0, 1, 2]), "resume": st.booleans()}
)
PRESSES = st.sampled_from(["Save", "Resume all", "Deutsch"])
NUMBERS = count()


@pytest.fixture(scope="module")
def pressed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("form") / "form.db"
    path.write_bytes(sqlite_template.read_bytes())
    site = Site(f"sqlite:///{path}", languages=("en", "de"))
    for slug in (*NAMES, "letter"):
        site.add_topic(slug, visibility="hidden" if slug == "letter" else "public")
    yield site
    site.close()


@given(st.tuples(*[STATES] * 3), st.tuples(*[CHOICES] * 3), st.integers(0, 3), PRESSES)
@settings(deadline=None, max_examples=60)
def test_no_press_loses_a_choice(
    pressed: Site, states: Any, choices: Any, pause: int, press: str
) -> None:
    site, email = pressed, f"reader-{next(NUMBERS)}@example.org"
    _subscribe(site, email, dict(zip(NAMES, states, strict=True)))
    page = site.page(link("preferences", email))
    _choose(page, dict(zip(NAMES, choices, strict=True)), pause)
    if press not in page.buttons and press != "Deutsch":
        press = "Save"
    rows = site.subscriptions(email)
    if press == "Deutsch":
        shown = site.press_and_follow(page, press)
        assert site.subscriptions(email) == rows
        assert _choices(shown) == _choices(page)
        return
    shown = site.press_and_follow(page, press)
    for slug, name in NAMES.items():
        _check_saved(site, page, shown, slug, email, resumes_all=press == "Resume all")
        assert (name in shown.chosen) == (name in page.chosen) or _is_asked(shown, name)


def _subscribe(site: Site, email: str, states: dict[str, str | None]) -> None:
    with site.database.transaction() as session:
        make.subscriber(session, email, *[slug for slug in states if states[slug]] or ["letter"])
        for slug, state in states.items():
            if state == "paused":
                make.reduce(session, Pause.ONE_MONTH, email, slug)
            elif state not in (None, "every"):
                make.reduce(session, Frequency(state), email, slug)


def _choose(page: Page, choices: dict[str, dict[str, Any]], pause: int) -> None:
    """Set the fields of the page, where it has them."""
    for slug, choice in choices.items():
        name = NAMES[slug]
        (page.field(name).set if choice["on"] else page.field(name).attrib.pop)("checked", "")
        if f"{name} How often" in page.labels:
            options = list(page.options(f"often-{slug}"))
            page.select(f"often-{slug}", options[choice["often"]])
        if choice["resume"] and f"{name} Resume now" in page.labels:
            page.tick(f"{name} Resume now")
    for label in ("Pause all emails", "Make the break longer"):
        if label in page.labels:
            options = list(page.options("pause"))
            page.select("pause", options[min(pause, len(options) - 1)])


def _choices(page: Page) -> tuple[Any, ...]:
    """Return what is ticked and selected. How often an unticked topic comes is no choice."""
    ticked = sorted(str(each.get("name")) for each in page.root.iter() if _is_checked(each))
    selected = {
        str(each.get("name")): [option.get("selected") for option in each.iter("option")]
        for each in page.root.iter("select")
    }
    often = {
        name: value
        for name, value in selected.items()
        if not name.startswith("often-") or f"on-{name.removeprefix('often-')}" in ticked
    }
    del often["language"], often["pause"]  # They have an option that is selected by default.
    return ticked, often, page.form_of(_save(page))[1].get("pause")


def _is_checked(field: Any) -> bool:
    return field.get("type") == "checkbox" and field.get("checked") is not None


def _save(page: Page) -> str:
    return page.buttons[-2]  # before that of the data


def _is_asked(shown: Page, name: str) -> bool:
    return f"Check your email to start {name}." in shown.text


def _check_saved(
    site: Site, page: Page, shown: Page, slug: str, email: str, *, resumes_all: bool
) -> None:
    """Check that what the form said about a topic is on record."""
    _, sent = page.form_of("Save")
    received = sent[f"was-{slug}"] != ["off"]
    status, frequency, until = site.subscriptions(email).get(slug, (None, None, None))
    if f"on-{slug}" not in sent:
        assert status != "subscribed"
    elif not received:
        assert _is_asked(shown, NAMES[slug])
    else:
        assert (status, frequency) == ("subscribed", sent.get(f"often-{slug}", ["every"])[0])
        resumes = resumes_all or f"resume-{slug}" in sent
        length = sent.get("pause", [""])[0]
        if length and not resumes_all:
            assert until >= subscriptions.paused_until(Pause(length), make.NOW, UTC)
        elif resumes:
            assert until is None
