"""The pages of figures: what they show to whom, and what they record."""

from datetime import timedelta
from html import unescape
from re import findall, search

import pytest

from preference_center.core import campaigns, feed, reasons
from preference_center.core.api_vocab import EmailsReceived
from preference_center.core.campaigns import Campaign
from preference_center.core.staff_vocab import AuditAction, StaffRole
from preference_center.core.vocab import Frequency, ReasonCode
from preference_center.store import sets
from preference_center.store.tables import ReceivedCount
from tests.support import make
from tests.support.console import SECRET_KEY, Console
from tests.support.web_fixtures import SiteMaker

DAY = timedelta(days=1)
PAGES = ("/console/", "/console/campaigns", "/console/reasons", "/console/reasons/notes")
MAILING = "/console/campaigns/mailing?topic=weekly-news&campaign=47"


@pytest.fixture
def busy(console: Console) -> Console:
    """Return a console with a mailing of 500 emails, by which ada and 9 others have left."""
    with console.site.database.transaction() as session:
        sent_on = (make.NOW - DAY).date()
        campaigns.record(session, Campaign("weekly-news", "47", sent_on, "shop", 500))
        for number in range(9):
            make.subscriber(session, f"p{number}@example.org")
            make.unsubscribe(session, f"p{number}@example.org", campaign="47", source="one-click")
        change = make.unsubscribe(session, campaign="47")
        note = "Too <b>many</b>."
        row = (make.id_of(), change.last_seq)
        reasons.record(session, *row, ReasonCode.TOO_MANY, note, make.NOW)
    return console


def _text(page: str) -> str:
    """Return the visible text of a page, on one line."""
    found = search(r"<main.*</main>", page, flags=16)
    assert found is not None
    return " ".join(unescape(" ".join(findall(r">([^<]+)<", found[0]))).split())


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_shown_for_each_span(busy: Console, path: str) -> None:
    for span in ("", "7", "365", "nonsense"):
        response = busy.get(path, query_string={"span": span})
        assert response.status_code == 200
        assert "style=" not in response.text


def test_the_overview_begins_with_what_is_wrong(busy: Console) -> None:
    with busy.site.database.transaction() as session:
        make.unsubscribe(session, "bob@example.org", at=make.NOW - 3 * DAY)
    text = _text(busy.get("/console/").text)
    assert text.startswith("Overview The oldest unsubscribe that no sender has read is 3 days old.")


def test_the_overview_without_troubles_begins_with_the_net_change(console: Console) -> None:
    with console.site.database.transaction() as session:
        feed.number(session, make.NOW)
        make.subscriber(session, "cyd@example.org", since=make.NOW - 2 * DAY)
        feed.number(session, make.NOW)
    text = _text(console.get("/console/").text)
    assert text.startswith("Overview In the last 30 days you gained one subscriber; in the 30 days")
    assert "No. All 10 checks pass." in text


def test_the_overview_shows_the_costliest_campaign(busy: Console) -> None:
    with busy.site.database.transaction() as session:
        sent_on = (make.NOW - DAY).date()
        campaigns.record(session, Campaign("weekly-news", "club", sent_on, "shop", 80))
        make.unsubscribe(session, "p9@example.org", campaign="club")
    page = busy.get("/console/").text
    assert "club lost 1 of 80 Weekly news" in _text(page)
    assert "club" in busy.get("/console/campaigns?order=left").text
    assert "20.0 10.9–36.4 10 500" in _text(page)
    assert f'href="{MAILING.replace("&", "&amp;")}&amp;span=30"' in page
    assert "<title>21 Nov 2026: 0</title>" in page.replace("\N{NO-BREAK SPACE}", " ")


def test_the_overview_says_whether_more_emails_cost_more(busy: Console) -> None:
    assert "No email was claimed in these days, so it is not known" in busy.get("/console/").text
    day = (make.NOW - DAY).date()
    numbers = {("1", False): 9000, ("1", True): 9, ("10-19", False): 8000, ("10-19", True): 40}
    rows = [(day, EmailsReceived(group), left, 0, n) for (group, left), n in numbers.items()]
    with busy.site.database.transaction() as session:
        sets.insert(session, ReceivedCount, rows)
    text = _text(busy.get("/console/").text)
    assert "It seems so. Those who were sent 10–19 within 30 days unsubscribed after 5.0" in text
    assert "of 1,000 emails, those who were sent 1 after 1.0." in text
    assert "10–19 5.0 3.7–6.8 40 8,000" in text


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        ("viewer", {"campaigns", "reasons"}),
        ("support", {"campaigns", "reasons", "reasons/notes"}),
        ("marketer", {"campaigns", "reasons", "reasons/notes", "lists"}),
        ("admin", {"campaigns", "reasons", "reasons/notes", "lists", "operations"}),
    ],
)
def test_the_figures_lead_to_the_rows_that_a_member_may_see(
    busy: Console, role: str, paths: set[str]
) -> None:
    member = Console(busy.site, role)
    main = search(r"<main.*</main>", member.get("/console/").text, flags=16)
    assert main is not None
    found = {unescape(each) for each in findall(r'href="(/console/[^"]+)"', main[0])}
    shown = {each.removeprefix("/console/").partition("?")[0] for each in found}
    assert shown == {"", "campaigns/mailing", *paths}
    for each in found:
        assert member.get(each).status_code == 200, each


def test_an_empty_installation_is_told_what_to_do(site_with: SiteMaker) -> None:
    console = Console(site_with(secret_key=SECRET_KEY))
    overview = _text(console.get("/console/").text)
    assert overview.startswith("Overview Nothing is on record yet. Import your subscribers")
    assert "There are no topics yet." in overview
    assert "No campaign in these days." in console.get("/console/campaigns").text
    assert "No reason was given in these days." in console.get("/console/reasons").text
    assert "No notes match." in console.get("/console/reasons/notes").text


def test_campaigns_are_chosen_by_topic_and_order(busy: Console) -> None:
    listed = busy.get("/console/campaigns?order=rate&topic=weekly-news")
    assert "Weekly news , 21 Nov 2026" in _text(listed.text)
    assert 'value="rate" selected' in listed.text
    assert MAILING.replace("&", "&amp;") not in busy.get("/console/campaigns?topic=offers").text
    assert busy.get("/console/campaigns?topic=unknown").status_code == 422


def test_a_campaign_has_a_page(busy: Console) -> None:
    page = busy.get(MAILING)
    assert "20.0 of 1,000 unsubscribed (10.9 to 36.4 with 95% confidence)" in _text(page.text)
    assert "one-click, by the email program 9" in _text(page.text)
    for other in ("?topic=offers&campaign=47", "?campaign=47", "", "?topic=weekly-news"):
        assert busy.get(f"/console/campaigns/mailing{other}").status_code == 404


@pytest.mark.parametrize("role", StaffRole)
def test_only_who_may_see_persons_reads_what_they_wrote(busy: Console, role: StaffRole) -> None:
    member = Console(busy.site, role)
    counted, notes = member.get("/console/reasons"), member.get("/console/reasons/notes")
    assert "Too many emails 1" in _text(counted.text)
    assert ("/console/reasons/notes" in counted.text) is (role is not StaffRole.VIEWER)
    assert notes.status_code == (403 if role is StaffRole.VIEWER else 200)
    assert ('<q dir="auto">Too &lt;b&gt;many' in notes.text) is (role is not StaffRole.VIEWER)
    read = (AuditAction.NOTES_READ, None) in member.actions()
    assert read is (role is not StaffRole.VIEWER)


def test_a_note_of_a_day_marks_it_in_the_charts(busy: Console) -> None:
    added = busy.post("/console/day-notes", day="2026-11-20", text=" New\n provider ", span="7")
    assert (added.status_code, added.location) == (303, "/console/?span=7")
    page = busy.get("/console/").text
    assert page.count('<line class="mark"') == 2
    assert "20 Nov 2026: New provider ( admin@example.org )" in _text(page)
    assert 'class="mark"' not in busy.get(MAILING).text
    target = search(r'action="(/console/day-notes/[^"]+/remove)"', page)
    assert target is not None
    for _ in range(2):
        assert busy.post(target[1]).status_code == 303
    assert 'class="mark"' not in busy.get("/console/").text
    actions = [action for action, _ in busy.actions()]
    assert actions[-2:] == [AuditAction.DAY_NOTED, AuditAction.DAY_NOTE_REMOVED]


@pytest.mark.parametrize(
    ("day", "text"), [("2026-11-23", "x"), ("", "x"), ("1999-01-01", "x"), ("2026-11-20", " ")]
)
def test_a_note_needs_a_day_and_a_text(console: Console, day: str, text: str) -> None:
    before = console.site.rows()["staff_notes"]
    assert console.post("/console/day-notes", day=day, text=text).status_code == 422
    assert console.site.rows()["staff_notes"] == before


def test_only_a_marketer_is_offered_to_note_a_day(busy: Console) -> None:
    assert "/console/day-notes" in Console(busy.site, "marketer").get("/console/").text
    assert "/console/day-notes" not in Console(busy.site, "support").get("/console/").text


def test_campaigns_are_downloaded_with_the_filters_of_the_page(busy: Console) -> None:
    with busy.site.database.transaction() as session:
        for name, sent in (("=1+1", 80), ("48", 900)):
            campaigns.record(session, Campaign("weekly-news", name, make.NOW.date(), "shop", sent))
        campaigns.record(session, Campaign("product-news", "47", make.NOW.date(), "shop", 500))
    page = Console(busy.site, "viewer").get("/console/campaigns?topic=weekly-news&order=rate").text
    link = search(r'href="([^"]+[.]csv[^"]*)"', page)
    assert link is not None
    response = Console(busy.site, "viewer").get(unescape(link[1]))
    assert response.headers["Content-Disposition"].startswith(
        "attachment; filename=campaigns-weekly"
    )
    assert response.text.splitlines() == [
        "topic,campaign,first_day,per_thousand,low,high,unsubscribed,emailed,opened,"
        "left_everything,left_complaint,left_bounce,reduced,paused,undone",
        "weekly-news,47,2026-11-21,20.0,10.9,36.4,10,500,0,0,0,0,0,0,0",
        "weekly-news,48,2026-11-22,0.0,0.0,4.3,0,900,0,0,0,0,0,0,0",
        "weekly-news,'=1+1,2026-11-22,,,,0,80,0,0,0,0,0,0,0",
    ]


def test_the_overview_says_how_often_subscribers_chose_each_topic(console: Console) -> None:
    with console.site.database.transaction() as session:
        make.reduce(session, Frequency.WEEKLY, "bob@example.org")
    page = console.get("/console/").text
    assert "Weekly news 1 1 0" in _text(page)
    link = search(r'href="([^"]+frequency=weekly[^"]*)">1</a>', page)
    assert link is not None
    assert "1 person" in console.get(unescape(link[1])).text
