"""The page to sign up: what it asks, who may post to it, and what an answer reveals."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event

from preference_center.core import erasure, request_limits, topics
from preference_center.core.apply import apply_one
from preference_center.core.change import ALL
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import Cadence, Scope, Source
from preference_center.outbound.transport import TemporaryError
from tests.support import mailer, make
from tests.support.page import Page
from tests.support.site import Site, path_in
from tests.support.web_fixtures import SiteMaker

ADA, NEW = "ada@example.org", "new@example.org"
PATH, HEADING = "/sign-up", "Get Northwind Letters emails"
BUTTON, LABEL = "Sign up", "Email address"
FRIEND, FOREIGN = "https://www.example.org", "https://evil.example"
FORM = {"email": NEW, "topic": "weekly-news", "page": "own"}


_origins = count()


def post(site: Site, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    """Post the form from an address of its own, since an address may post ten times an hour."""
    origin = {"REMOTE_ADDR": f"2001:db8:{next(_origins):x}::1"}
    form = {**FORM, **changes}
    return site.post(PATH, data=form, headers=headers or {}, environ_overrides=origin)


def sent_to(site: Site) -> list[str]:
    return [str(each["To"]) for each in site.emails()]


@contextmanager
def statements(site: Site) -> Iterator[list[str]]:
    """Yield the statements that are sent to the database, without their values."""
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        found.append(statement)

    site.services.languages.refresh()  # Some pages otherwise ask which texts are published.
    event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(site.database.engine, "before_cursor_execute", note)


def test_the_page_shows_public_topics_with_description_and_cadence(site: Site) -> None:
    with site.database.transaction() as session:
        topic = topics.get(session, "weekly-news")
        topics.describe(topic, "en", "Weekly news", "What happened this week.")
        topics.describe(topic, "de", "Wochenbrief", "Was diese Woche geschah.")
        topic.cadence = Cadence.WEEKLY
        make.topic(session, "secret", visibility="hidden")
        topics.archive(make.topic(session, "old"), make.NOW)
    page = site.page(PATH)
    assert page.heading == HEADING
    assert page.labels == ["Product news", "Weekly news", LABEL]
    assert "Weekly news What happened this week. Once a week." in page.text
    assert page.chosen == []  # Nothing is ticked beforehand.
    assert page.buttons == [BUTTON, "Email me my link"]
    german = site.page(f"{PATH}?lang=de")
    assert "Wochenbrief Was diese Woche geschah. Einmal pro Woche." in german.text


def test_a_single_topic_needs_no_tick(site_with: SiteMaker) -> None:
    site = site_with()
    with site.database.transaction() as session:
        make.topic(session, "weekly-news", cadence="monthly")
    page = site.page(PATH)
    assert page.labels == [LABEL]
    assert "Weekly news Once a month." in page.text
    page.fill_in(LABEL, NEW)
    assert site.press_and_follow(page, BUTTON).heading == "Check your email"
    assert sent_to(site) == [NEW]


def test_without_topics_only_a_link_can_be_had(site_with: SiteMaker) -> None:
    page = site_with().page(PATH)
    assert page.buttons == ["Email me my link"]
    assert "There are no topics to choose from." in page.text


def test_signing_up_sends_a_link_and_records_nobody(site: Site) -> None:
    page = site.page(PATH)
    page.tick("Weekly news")
    page.fill_in(LABEL, NEW)
    before = site.rows()
    assert site.press_and_follow(page, BUTTON).heading == "Check your email"
    changed = {name for name, rows in site.rows().items() if rows != before[name]}
    assert changed == {"sign_ups", "outbox", "mailbox_requests", "wordings"}
    (message,) = site.emails()
    assert (message["To"], message["Subject"]) == (
        NEW,
        "Please confirm: would you like Weekly news?",
    )
    assert site.subscriber(NEW) is None
    assert site.page(path_in(message, "/c/")).heading == "Start getting Weekly news?"


@pytest.mark.parametrize(
    ("changes", "message", "target"),
    [
        ({"email": "ada@"}, "Enter an email address, like name@example.org.", "#email"),
        ({"topic": ""}, "Choose what you’d like to get.", "#topics"),
        ({"topic": "no-such-topic"}, "Choose what you’d like to get.", "#topics"),
    ],
)
def test_an_error_keeps_what_was_sent(
    site: Site, changes: dict[str, Any], message: str, target: str
) -> None:
    before = site.rows()
    page = Page(post(site, None, **changes), 400)
    assert page.title == f"Error: {HEADING} – Northwind Letters"
    assert page.links[message] == target
    assert page.field(LABEL).get("value") == changes.get("email", NEW)
    assert page.chosen == ([] if "topic" in changes else ["Weekly news"])
    assert site.rows() == before


def test_every_error_is_named_at_once(site: Site) -> None:
    page = Page(post(site, email="", topic=""), 400)
    targets = ("#topics", "#email")
    assert [each for each in page.links.values() if each.startswith("#")] == [*targets]


def _addresses_of_each_state(site: Site) -> list[str]:
    """Return an address in each state that an answer must not reveal."""
    names = ("unknown", "known", "left", "complained", "bounced", "stopped", "erased")
    emails = {name: f"{name}@example.org" for name in names}
    with site.database.transaction() as session:
        for name in names[1:]:
            make.subscriber(session, emails[name])
        make.unsubscribe(session, emails["left"], None)
        make.unsubscribe(session, emails["complained"], None, source="complaint")
        for name, source in (("bounced", "bounce"), ("stopped", "api")):
            make.unsubscribe(session, emails[name], None, Scope.ADDRESS, source=source)
        erasure.erase(session, [make.id_of(emails["erased"])], Source.CLI, make.NOW)
    return list(emails.values())


@pytest.mark.every_engine
@pytest.mark.parametrize("press", ["", "link"])
def test_answer_and_statements_are_the_same_for_every_address(site: Site, press: str) -> None:
    found = []
    for email in _addresses_of_each_state(site):
        with statements(site) as sent:
            answer = post(site, email=email, press=press)
        assert len(sent) >= 4
        found.append((answer.status_code, dict(answer.headers), answer.text, sent))
    assert [each == found[0] for each in found] == [True] * 7


def test_the_worker_decides_who_gets_an_email(site: Site) -> None:
    for email in _addresses_of_each_state(site):
        post(site, email=email)
    got = {str(each["To"]).partition("@")[0]: str(each["Subject"]) for each in site.emails()}
    confirmation = "Please confirm: would you like Weekly news?"
    people = ("unknown", "left", "complained", "bounced", "erased")
    assert got == {
        **dict.fromkeys(people, confirmation),
        "known": "Your link to manage Northwind Letters emails",
    }


def test_nothing_that_was_typed_is_in_the_email(site: Site) -> None:
    post(site, email="win-a-prize.example+now@example.org", form="https://evil.example/prize")
    (message,) = site.emails()
    for text in (mailer.plain(message), str(message["Subject"]), str(message["From"])):
        assert "prize" not in text


# Who may post to it.


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://mail.example.org"},
        {"Origin": "https://mail.example.org"},  # an old browser
        {"Origin": "null"},
        {},
    ],
)
def test_our_own_page_sends_at_once(site: Site, headers: dict[str, str]) -> None:
    assert post(site, headers).status_code == 303
    assert sent_to(site) == [NEW]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": FOREIGN},
        {"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": f"{FRIEND}.evil.example"},
        {"Origin": "http://www.example.org"},
        {"Origin": f"{FRIEND}:8443"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_the_form_of_another_site_opens_our_page_filled_in(
    site_with: SiteMaker, headers: dict[str, str]
) -> None:
    site = site_with(sign_up_origins=(FRIEND,))
    site.subscribe()
    before = site.rows()
    page = Page(post(site, headers, next=f"{FRIEND}/thanks"))
    assert "Nothing has been sent yet." in page.text
    assert (page.chosen, page.field(LABEL).get("value")) == (["Weekly news"], NEW)
    assert site.rows() == before
    assert site.press_and_follow(page, BUTTON).heading == "Check your email"  # one more press
    assert sent_to(site) == [NEW]


def test_a_program_without_an_origin_opens_our_page(site: Site) -> None:
    answer = site.post(PATH, data={"email": NEW, "topic": "weekly-news"})
    assert "Nothing has been sent yet." in Page(answer).text
    assert site.emails() == []


def test_a_listed_site_sends_at_once_and_names_the_next_page(site_with: SiteMaker) -> None:
    site = site_with(sign_up_origins=("https://shop.example.org", FRIEND))
    site.subscribe()
    form = {"email": NEW, "topic": "weekly-news", "form": f"{FRIEND}/news"}
    headers = {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"}
    thanks = f"{FRIEND}/thanks?a=1"
    answer = site.post(PATH, data={**form, "next": thanks}, headers=headers)
    assert (answer.status_code, answer.location) == (303, thanks)
    assert sent_to(site) == [NEW]
    assert site.rows()["sign_ups"][0][6] == f"{FRIEND}/news"


@pytest.mark.parametrize(
    "target",
    [
        FOREIGN,
        "//evil.example",
        f"{FRIEND}@evil.example",
        f"{FRIEND}.evil.example/",
        "javascript:alert(1)",
        f"{FRIEND}\\@evil.example",
        "https://[",
        f"{FRIEND}/a\r\nX: y",
        f"{FRIEND}/{'a' * 600}",
        "/",
        "",
    ],
)
def test_there_is_no_redirect_to_another_site(site_with: SiteMaker, target: str) -> None:
    site = site_with(sign_up_origins=(FRIEND,))
    site.subscribe()
    answer = post(site, {"Origin": FRIEND}, next=target, form=target)
    assert (answer.status_code, answer.location) == (303, "/sign-up/sent")
    assert site.rows()["sign_ups"][0][6] == FRIEND  # all that is proven of the form


def test_our_own_page_redirects_to_no_other_site(site_with: SiteMaker) -> None:
    site = site_with(sign_up_origins=(FRIEND,))
    site.subscribe()
    assert post(site, next=f"{FRIEND}/thanks").location == "/sign-up/sent"


# Limits.


def test_an_address_gets_three_emails_a_day_over_all_topics_and_forms(site: Site) -> None:
    sent = []
    for hour in range(26):
        site.now = make.NOW + timedelta(hours=hour)
        topic = ("weekly-news", "product-news")[hour % 2]
        press = ("", "link")[hour % 3 == 0]
        post(site, email=ADA if hour % 2 else "A.da+x@example.org", topic=topic, press=press)
        sent.append(len(site.rows()["outbox"]))
        site.emails()
    assert sent[:3] == [1, 2, 3]
    assert sent[3:24] == [3] * 21
    assert sent[24:] == [4, 5]


def test_after_a_complaint_an_address_gets_one_email_in_thirty_days(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, ADA, None, source="complaint")
    sent = []
    for day in range(32):
        site.now = make.NOW + timedelta(days=day)
        post(site, email=ADA, press=("", "link")[day % 2])
        sent.append(len(site.emails()))
    assert sent == [1] + [0] * 29 + [1, 0]


@pytest.mark.parametrize("is_erased", [False, True])
def test_a_further_complaint_allows_no_further_email(site: Site, is_erased: bool) -> None:
    if is_erased:
        with site.database.transaction() as session:
            erasure.erase(session, [make.id_of(ADA)], Source.CLI, make.NOW)
    sent = []
    for day, campaign in enumerate(["2026-47", None, None, None]):
        site.now = make.NOW + timedelta(days=day)
        with site.database.transaction() as session:
            complaint = make.context(Source.COMPLAINT, site.now, campaign=campaign)
            apply_one(session, Unsubscribe(make.id_of(ADA), ALL, complaint), site.now)
        post(site, email=ADA)
        sent.append(len(site.emails()))
    assert sent == [1, 0, 0, 0]


def test_an_email_from_before_the_complaint_does_not_count(site: Site) -> None:
    post(site, email=NEW)
    assert sent_to(site) == [NEW]
    with site.database.transaction() as session:
        make.unsubscribe(session, NEW, None, source="complaint", at=make.NOW + timedelta(hours=1))
    sent = []
    for hour in (2, 3):
        site.now = make.NOW + timedelta(hours=hour)
        post(site, email=NEW)
        sent.append(len(site.emails()))
    assert sent == [1, 0]


def test_unknown_addresses_share_an_hourly_limit(site_with: SiteMaker) -> None:
    site = site_with(sign_up_hourly_limit=5)
    site.subscribe()
    for number in range(20):  # from as many networks
        assert post(site, email=f"victim{number}@example.net").status_code == 303
    assert len(site.emails()) == 5
    post(site, email=ADA)
    assert sent_to(site) == [ADA]  # Subscribers are not held up.
    assert [row[1:3] for row in site.rows()["sign_up_hours"]] == [(5, 15)]
    site.now += timedelta(minutes=55)
    assert len(site.emails()) == 5
    site.now += timedelta(hours=2)
    assert len(site.emails()) == 5
    with site.database.transaction() as session:  # Each has waited, some of them twice.
        assert request_limits.take_warning(session, site.now) == 15


def test_a_postponed_email_has_all_its_attempts(site_with: SiteMaker) -> None:
    site = site_with(sign_up_hourly_limit=1)
    site.subscribe()
    for email in (NEW, "other@example.net"):
        post(site, email=email)
    site.emails()
    states = sorted((row[4], row[11]) for row in site.rows()["outbox"])
    assert states == [("sent", 1), ("started", 0)]


def test_an_email_that_is_sent_late_is_about_its_own_sign_up(site: Site) -> None:
    post(site, email=NEW)
    refusing = mailer.Mailer(site.database, settings=site.settings, refusal=TemporaryError("later"))
    refusing.send_due(timedelta(0))
    site.now += timedelta(minutes=1)
    post(site, email=NEW, topic="product-news")
    site.now += timedelta(minutes=1)
    subjects = {str(each["Subject"]) for each in site.emails()}
    question = "Please confirm: would you like {}?"
    assert subjects == {question.format("Weekly news"), question.format("Product news")}


@pytest.mark.parametrize(("asked_in", "opened_in"), [("en", "de"), ("de", "en"), ("fr", "de")])
def test_the_link_opens_in_the_language_of_the_form(
    site_with: SiteMaker, asked_in: str, opened_in: str
) -> None:
    site = site_with(languages=("en", "de"))
    site.subscribe()
    post(site, {"Accept-Language": asked_in}, email=NEW)
    (message,) = site.emails()
    opened = site.get(path_in(message, "/c/"), headers={"Accept-Language": opened_in})
    expected = "de" if asked_in == "de" else "en"
    assert Page(opened).lang[0] == message["Content-Language"] == expected


def test_a_sign_up_keeps_the_language_of_the_page(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "de"))
    site.subscribe()
    site.post(PATH, data=FORM, headers={"Accept-Language": "de"})
    (message,) = site.emails()
    assert message["Content-Language"] == "de"
    page = site.page(path_in(message, "/c/"))
    assert page.lang == ("de", "ltr")
    site.press(page, page.buttons[0])
    assert site.locale(NEW) == "de"


@pytest.mark.parametrize("path", [PATH, f"{PATH}/sent"])
def test_viewing_changes_nothing(site: Site, path: str) -> None:
    before = site.rows()
    for method in ("GET", "HEAD", "OPTIONS"):
        site.open(method, f"{path}?email=new@example.org&topic=weekly-news&page=own")
    assert site.rows() == before


def test_without_smtp_there_is_no_page(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe()
    for answer in (site.get(PATH), site.get(f"{PATH}/sent"), post(site)):
        assert "help@example.org" in Page(answer, 404).text
    assert site.rows()["sign_ups"] == []
