"""What staff do for one person: less at once, more by an emailed link, and each in the ledger."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from preference_center.core import data_complaints, ledger, topics
from preference_center.core.staff import corrections
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Event, Frequency, Scope, Source, Status
from tests.support import make
from tests.support.console import Console

ADA, NEW = "ada@example.org", "ada.new@example.org"
PAGE = f"/console/people/{make.id_of()}"


def ada(console: Console, email: str = ADA) -> Subscriber:
    with console.site.database.reading() as session:
        return make.found(session, email)


def press(console: Console, button: str, **choices: str) -> str:
    """Press a button of ada's page, by phone; return what the next page says."""
    page = console.page(PAGE)
    path, data = page.form_of(button)
    fields = {name: values[0] for name, values in data.items()}
    response = console.post(path, **{**fields, "channel": "phone", **choices})
    assert response.status_code == 303, response.text
    assert response.location.partition("?")[0] == PAGE
    return console.page(response.location).text


def last_entry(console: Console) -> ledger.LedgerEntry:
    with console.site.database.reading() as session:
        return ledger.load(session, make.id_of(), 1)[-1]


@pytest.mark.every_engine
@pytest.mark.parametrize("what", ["weekly-news", "all"])
def test_an_unsubscribe_takes_four_presses_and_the_note_is_optional(
    console: Console, what: str
) -> None:
    """The others are: find the person, and open the pages of people."""
    page = console.page(PAGE)
    page.choose("Weekly news" if what != "all" else "Everything, also later topics")  # 1
    page.choose("By phone")  # 2
    assert console.press(page, "Unsubscribe").status_code == 303  # 3
    person, entry = ada(console), last_entry(console)
    if what == "all":
        assert person.suppressions[Scope.ALL].source is Source.CONSOLE
    else:
        assert person.subscriptions[what].status is Status.UNSUBSCRIBED
    assert (entry.event, entry.source) == (Event.UNSUBSCRIBED, Source.CONSOLE)
    assert entry.stated_source == "channel: phone"
    assert console.actions()[-1] == (AuditAction.PERSON_UNSUBSCRIBED, make.id_of())


def test_the_ledger_keeps_how_they_asked_and_not_who_recorded_it(console: Console) -> None:
    said = press(console, "Unsubscribe", what="all", channel="letter", note="shelf\r\n 12")
    assert "Unsubscribed. No email confirms it." in said
    assert "They asked by letter: shelf 12." in said
    assert last_entry(console).stated_source == "channel: letter; note: shelf 12"
    assert "They were unsubscribed before." in press(console, "Unsubscribe", what="all")
    assert not console.site.emails()


@pytest.mark.every_engine
@pytest.mark.parametrize(
    ("button", "fields"),
    [
        ("Unsubscribe", {"what": "weekly-news"}),
        ("Unsubscribe", {"what": "all"}),
        ("Change", {"topic": "weekly-news", "wish": "1-month"}),
    ],
    ids=str,
)
def test_a_mistake_is_undone_with_the_consent_of_before(
    console: Console, button: str, fields: dict[str, str]
) -> None:
    before = ada(console)
    press(console, button, **fields)
    said = press(console, "Undo this mistake")
    assert "What was before is in force again" in said
    assert "Undo this mistake" not in said
    after = ada(console)
    for each in after.subscriptions.values():
        each.updated_at = before.subscriptions[each.topic].updated_at
    assert (after.subscriptions, after.suppressions) == (before.subscriptions, {})
    entry = last_entry(console)
    assert (entry.event, entry.source) == (Event.UNDONE, Source.CONSOLE)
    assert console.actions()[-2] == (AuditAction.PERSON_CORRECTED, make.id_of())
    assert "Through our staff. Staff corrected their own mistake." in said
    consents = said.rpartition("Consents")[2].partition("History")[0]
    assert "Given on" in consents
    assert "through our staff" not in consents  # It is that of before.
    assert not console.site.emails()


def test_a_mistake_is_undone_by_who_made_it_or_an_admin_and_soon(console: Console) -> None:
    support = Console(console.site, "support")
    press(support, "Unsubscribe", what="weekly-news")
    row = str(last_entry(console).seq)
    other = Console(console.site, "marketer")
    assert "Undo this mistake" not in other.page(PAGE).text
    assert other.post(f"{PAGE}/undo", row=row).status_code == 422
    assert support.post(f"{PAGE}/undo", row="1").status_code == 422  # The person's own consent.
    for each in (support, console):
        assert "Undo this mistake" in each.page(PAGE).text
    console.site.now += corrections.UNDO_WITHIN
    assert "Undo this mistake" not in support.page(PAGE).text
    assert support.post(f"{PAGE}/undo", row=row).status_code == 422


def test_who_was_not_on_record_before_is_not_put_on_an_opt_out_list_by_an_undo(
    console: Console,
) -> None:
    console.site.add_topic("notices", policy="opt_out")
    eve = f"/console/people/{make.id_of(NEW)}"
    console.post(f"{eve}/unsubscribe", what="all", channel="phone", email=NEW)
    assert "Undo this mistake" not in console.page(eve).text
    assert console.post(f"{eve}/undo", row="1").status_code == 422
    assert Scope.ALL in ada(console, NEW).suppressions


def test_a_mistake_is_not_undone_once_the_person_has_chosen(console: Console) -> None:
    press(console, "Unsubscribe", what="weekly-news")
    row = str(last_entry(console).seq)
    with console.site.database.transaction() as session:
        make.unsubscribe(session)  # They press unsubscribe, too.
    assert "Undo this mistake" not in console.page(PAGE).text
    response = console.post(f"{PAGE}/undo", row=row)
    assert response.status_code == 422
    assert "Something newer was changed" in response.text


@pytest.mark.parametrize(
    ("wish", "frequency", "until"),
    [("monthly", "monthly", None), ("1-month", "every", "2026-12-22"), ("every", "every", None)],
)
def test_less_is_applied_at_once(
    console: Console, wish: str, frequency: str, until: str | None
) -> None:
    press(console, "Change", topic="weekly-news", wish=wish)
    held = ada(console).subscriptions["weekly-news"]
    assert held.frequency == Frequency(frequency)
    assert (held.paused_until and held.paused_until.date().isoformat()) == until
    assert held.consent_source == ""


def test_an_opt_out_topic_is_reduced_without_a_consent(console: Console) -> None:
    console.site.add_topic("notices", policy="opt_out")
    press(console, "Change", topic="notices", wish="weekly")
    held = ada(console).subscriptions["notices"]
    assert (held.frequency, held.consent_at, held.basis) == (Frequency.WEEKLY, None, "")


def test_their_own_choice_of_less_stays(console: Console) -> None:
    with console.site.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY)
    fields = {"topic": "weekly-news", "wish": "every", "channel": "phone"}
    response = console.post(f"{PAGE}/adjust", **fields)
    assert response.status_code == 422
    assert "They chose to get less themselves" in response.text
    assert ada(console).subscriptions["weekly-news"].frequency is Frequency.MONTHLY


def test_adjusting_never_starts_a_topic(console: Console) -> None:
    console.site.add_topic("offers")
    response = console.post(f"{PAGE}/adjust", topic="offers", wish="weekly", channel="phone")
    assert response.location.endswith("said=unchanged")
    assert "offers" not in ada(console).subscriptions


@pytest.mark.every_engine
def test_a_start_is_confirmed_by_the_person(console: Console) -> None:
    console.site.add_topic("offers")
    with console.site.database.transaction() as session:
        make.unsubscribe(session, slug=None)
    said = press(console, "Email them a link", topic="offers")
    assert "An email with a link is on its way" in said
    assert "offers" not in ada(console).subscriptions
    assert Scope.ALL in ada(console).suppressions
    (email,) = console.site.emails()
    assert email["To"] == ADA
    assert "/c/" in str(email)
    assert console.actions()[-2][0] is AuditAction.PERSON_ASKED


@pytest.mark.parametrize(
    ("obstacle", "why"),
    [
        ("complaint", "They reported an email as spam"),
        ("address", "No confirmation can be emailed"),
        ("received", "They get the topic already"),
        ("archived", "This topic is no longer sent"),
    ],
)
def test_a_start_that_cannot_be_confirmed_is_refused(
    console: Console, obstacle: str, why: str
) -> None:
    slug = "weekly-news" if obstacle == "received" else "offers"
    with console.site.database.transaction() as session:
        offers = make.topic(session, "offers")
        if obstacle == "complaint":
            make.unsubscribe(session, slug=None, source="complaint")
        if obstacle == "address":
            make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="cli")
        if obstacle == "archived":
            topics.archive(offers, make.NOW)
    response = console.post(f"{PAGE}/start", topic=slug, channel="phone")
    assert response.status_code == 422
    assert why in response.text
    assert not console.site.emails()


@pytest.mark.parametrize(
    ("path", "fields", "why"),
    [
        ("unsubscribe", {"what": "all"}, "how they asked"),
        ("unsubscribe", {"channel": "phone"}, "what to unsubscribe from"),
        ("unsubscribe", {"what": "nonsense", "channel": "phone"}, "no such topic"),
        ("unsubscribe", {"what": "all", "channel": "phone", "note": "x" * 501}, "500 characters"),
        ("adjust", {"topic": "weekly-news", "channel": "phone"}, "what changes"),
        ("start", {"channel": "phone"}, "a topic"),
        ("complain", {"channel": "phone"}, "has 1 to 4000"),
        ("complain", {"text": "x"}, "how they asked"),
        ("complain", {"channel": "phone", "text": "x", "received": "2027-01-01"}, "which day"),
        ("correct", {"email": "ada", "note": "x"}, "not an address"),
        ("correct", {"email": NEW}, "how you know"),
        ("correct", {"email": ADA, "note": "x"}, "the same subscriber"),
    ],
)
def test_a_form_that_is_not_filled_in_is_refused_by_name(
    console: Console, path: str, fields: dict[str, str], why: str
) -> None:
    before = ada(console)
    response = console.post(f"{PAGE}/{path}", **fields)
    assert response.status_code == 422
    assert why in response.text
    assert ada(console) == before


def test_an_address_is_recorded_only_with_its_own_id(console: Console) -> None:
    fields = {"what": "all", "channel": "phone", "email": "mallory@example.org"}
    eve = make.id_of("eve@example.org")
    console.post(f"/console/people/{eve}/unsubscribe", **fields)
    assert ada(console, "eve@example.org").email is None


def test_a_corrected_address_links_both_histories(console: Console) -> None:
    said = press(console, "Link the addresses", email=f" {NEW.upper()} ", note="knew the order")
    assert "Linked." in said
    linked_page = console.page(f"{PAGE}?said=linked")
    to_new = linked_page.links["Go to the new address, to start topics there"]
    assert to_new == f"/console/people/{make.id_of(NEW)}"
    assert "The newer address" in said
    newer = console.page(f"/console/people/{make.id_of(NEW)}")
    assert newer.links["The older address"] == PAGE
    assert not ada(console, NEW).subscriptions
    linked = AuditAction.PERSON_LINKED
    assert {(linked, make.id_of()), (linked, make.id_of(NEW))} <= set(console.actions())


def test_a_complaint_by_letter_is_due_from_its_receipt(console: Console) -> None:
    sent = {"channel": "letter", "text": "Who has\r\nmy data?", "received": "2026-11-10"}
    assert "Recorded." in press(console, "Record the complaint", **sent)
    with console.site.database.reading() as session:
        (found,) = data_complaints.read(session, closed=False)
    assert (found.email, found.text) == (ADA, "Who has\nmy data?")
    assert found.due_at == datetime(2026, 12, 10, tzinfo=UTC)
    assert (AuditAction.COMPLAINT_RECORDED, make.id_of()) in console.actions()


@pytest.mark.every_engine
def test_an_erasure_says_first_what_stays(console: Console) -> None:
    page = console.page(f"{PAGE}/erase")
    assert "What stays: the subscriber id" in page.text
    assert ADA in page.text
    assert ada(console).erased_at is None
    assert console.press(page, "Erase for good").location == f"{PAGE}?said=erased"
    assert ada(console).erased_at == make.NOW
    assert last_entry(console).source is Source.CONSOLE
    assert console.actions()[-1] == (AuditAction.PERSON_ERASED, make.id_of())
    assert console.post(f"{PAGE}/erase").location == f"{PAGE}?said=erased_before"


def test_the_copy_has_the_reading_of_staff_and_not_their_names(console: Console) -> None:
    with console.site.database.transaction() as session:
        data_complaints.add(session, make.id_of(), "You sold my address.", make.NOW)
    console.post(f"/console/complaints/{make.id_of()}/1/acknowledge")
    console.post(f"/console/complaints/{make.id_of()}/1/close", outcome="We did not.")
    console.post(f"{PAGE}/correct", email=NEW, note="knew the order")
    console.post(f"{PAGE}/unsubscribe", what="all", channel="phone")
    console.get(PAGE)
    console.site.now += timedelta(minutes=1)
    response = console.press(console.page(PAGE), "Download the copy")
    assert response.mimetype == "application/zip"
    assert ADA not in response.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    looks = json.loads(files["json/staff.json"])
    assert [each["action"] for each in looks] == [
        *("complaint_acknowledged", "complaint_closed"),
        *("person_linked", "person_unsubscribed"),
        *("person_read", "person_read", "person_exported"),
    ]
    assert ADA in files["README.txt"]
    assert console.member.email not in "".join(files.values())
    assert str(console.member.id) not in "".join(files.values())
    assert console.actions()[-1] == (AuditAction.PERSON_EXPORTED, make.id_of())


def test_an_admin_sees_what_was_done_for_them(console: Console) -> None:
    press(console, "Unsubscribe", what="weekly-news", note="rather private")
    looks = console.page(PAGE).text.partition("Who looked at this person")[2]
    assert "person unsubscribed; channel: phone" in looks
    assert "private" not in looks
    assert "weekly-news" not in looks  # An erasure could not take it from here.
    trail = console.page(f"/console/audit?about={make.id_of()}")
    assert "signed in" not in trail.text
    assert str(make.id_of()) in trail.links
