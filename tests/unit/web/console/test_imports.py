"""The pages of imports: a preview first, then the import, then the refused rows."""

import errno
import re
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select

from preference_center.core.staff_vocab import AuditAction
from preference_center.data.jobs.importing import without_addresses
from preference_center.store.tables import AuditRow, ConsoleJob
from preference_center.web.console import uploads
from tests.support.console import Console, ConsolePage
from tests.support.foreign_files import zipped
from tests.support.jobs import run_jobs
from tests.support.site import ORIGIN, Site

MEMBER = "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,LEID,EUID"
MAILCHIMP = zipped(
    **{
        "subscribed_members_export_1.csv": f"{MEMBER}\n"
        "cleo@example.org,Cleo,2,2024-01-02 10:00:00,1,a\n",
        "unsubscribed_members_export_1.csv": f"{MEMBER},UNSUB_TIME\n"
        "ada@example.org,Ada,2,2024-01-02 10:00:00,2,b,2025-03-04 10:00:00\n",
    }
)


@pytest.fixture
def marketer(site: Site) -> Console:
    return Console(site, "marketer")


def upload(console: Console, content: bytes | str, name: str = "list.csv", **fields: str) -> str:
    """Upload a file and return the path of its page."""
    data = content if isinstance(content, bytes) else content.encode()
    answer = console.post("/console/data/imports", file=(BytesIO(data), name), **fields)
    assert answer.status_code == 303, answer.text
    found: str = answer.location
    run_jobs(console.site)
    return found


def text_of(console: Console, path: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", console.get(path).text).split())


def audit_details(site: Site) -> str:
    with site.database.reading() as session:
        return " ".join(session.scalars(select(AuditRow.details)))


def test_an_upload_to_a_full_disk_says_so(
    marketer: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullFile(BytesIO):
        def write(self, _part: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    parser = "werkzeug.wrappers.request.default_stream_factory"
    monkeypatch.setattr(parser, lambda **_options: FullFile())
    answer = marketer.post("/console/data/imports", file=(BytesIO(b"email"), "list.csv"))
    page = ConsolePage(answer, 507)
    assert page.heading == "The disk is full"
    assert "nothing was stored" in page.text


def test_an_import_is_of_the_preview_that_was_seen(site: Site, marketer: Console) -> None:
    path = upload(marketer, "email\ncleo@example.org", topic="weekly-news", status="subscribed")
    seen, site.now = marketer.page(path), site.now + timedelta(minutes=1)
    other = {"topic": "weekly-news", "status": "unsubscribed"}  # In another window, say.
    assert Console(site, "admin").post(f"{path}/preview", **other).status_code == 303
    run_jobs(site)
    refused = marketer.press(seen, "Import now")
    assert refused.status_code == 422
    assert "Another preview was made since" in refused.text
    assert marketer.press(marketer.page(path), "Import now").status_code == 303


def test_a_file_of_mailchimp_is_previewed_and_then_imported(site: Site, marketer: Console) -> None:
    path = upload(marketer, MAILCHIMP, "mailchimp.zip", topic="weekly-news")
    preview = text_of(marketer, path)
    assert "Nothing has changed yet" in preview
    assert "The file is from Mailchimp" in preview
    assert "What a file of Mailchimp cannot say" in preview
    assert "which begins “subscribed_”." in preview
    assert "Added 1 subscriptions" in preview
    assert "cleo@example.org" not in preview
    assert site.subscriber("cleo@example.org") is None
    assert marketer.press(marketer.page(path), "Import now").status_code == 303
    run_jobs(site)
    assert "Imported on" in text_of(marketer, path)
    assert "weekly-news" in site.subscriptions("cleo@example.org")
    assert site.unsubscribed("ada@example.org") == ["weekly-news"]
    assert [action for action, _ in marketer.actions()][-3:] == [
        AuditAction.IMPORT_UPLOADED,
        AuditAction.IMPORT_STARTED,
        AuditAction.IMPORT_ENDED,
    ]
    assert "@" not in audit_details(site)


def test_a_preview_without_a_topic_says_which_field_to_fill_in(marketer: Console) -> None:
    path = upload(marketer, MAILCHIMP, "mailchimp.zip")
    assert "it does not say which topic: use “Topic”" in text_of(marketer, path)
    answer = marketer.post(f"{path}/preview", source="auto", topic="weekly-news")
    assert answer.status_code == 303
    run_jobs(marketer.site)
    assert "it does not say which topic" not in text_of(marketer, path)


def test_refused_rows_are_listed_and_can_be_taken(site: Site, marketer: Console) -> None:
    header, bad = "email,topic,status\n", "not an address,weekly-news,subscribed\n"
    path = upload(marketer, f"{header}{bad}eve@example.org,weekly-news,subscribed\n")
    page = text_of(marketer, path)
    assert "line 2" in page
    taken = marketer.post(f"{path}/refused")
    assert taken.text == header + bad
    assert "refused-list.csv" in taken.headers["Content-Disposition"]
    assert marketer.actions()[-1][0] is AuditAction.FILE_DOWNLOADED
    other = Console(site, "admin")
    assert "Download the refused rows" not in other.get(path).text
    assert other.post(f"{path}/refused").status_code == 403
    assert AuditAction.FILE_DOWNLOADED not in [action for action, _ in other.actions()]


def test_a_file_that_cannot_be_read_can_be_read_in_another_way(marketer: Console) -> None:
    path = upload(marketer, "Adresse,Stand\neve@example.org,aktiv\n")
    assert "The file cannot be read" in text_of(marketer, path)
    assert "--" not in text_of(marketer, path)
    answer = marketer.post(
        f"{path}/preview",
        source="csv",
        topic="weekly-news",
        columns="Adresse = email\nStand = status",
        word="aktiv",
        word_is="subscribed",
    )
    assert answer.status_code == 303, answer.text
    run_jobs(marketer.site)
    assert "Added 1" in text_of(marketer, path)


def test_unknown_words_and_topics_are_offered_to_be_mapped(marketer: Console) -> None:
    path = upload(marketer, "email,topic,status\neve@example.org,weekly-news,aktiv\n")
    page = marketer.get(path).text
    assert 'name="word" value="aktiv"' in page


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"source": "nowhere"}, "choose where the file is from"),
        ({"status": "gone"}, "is not a status"),
        ({"topic": "No Topic"}, "is not a topic"),
        ({"columns": "Mail"}, "write each column as"),
        ({"columns": "Mail = address"}, "is not a field"),
        ({"columns": "A = email\nB = email"}, "“Columns with other names” has"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    marketer: Console, fields: dict[str, str], why: str
) -> None:
    file = (BytesIO(b"email,status\n"), "list.csv")
    answer = marketer.post("/console/data/imports", file=file, **fields)
    assert answer.status_code == 422
    assert why.lower() in answer.text.lower()
    assert "There are no imports yet" in marketer.get("/console/data/imports").text


def test_nothing_is_imported_without_its_preview(site: Site, marketer: Console) -> None:
    answer = marketer.post(
        "/console/data/imports",
        file=(BytesIO(b"email,topic,status\neve@example.org,weekly-news,subscribed\n"), "a.csv"),
    )
    assert marketer.post(f"{answer.location}/start").status_code == 422
    assert marketer.post(f"{answer.location}/cancel").status_code == 303
    run_jobs(site)
    assert "the file was deleted" in text_of(marketer, answer.location)
    assert marketer.post(f"{answer.location}/start").status_code == 422
    assert site.subscriber("eve@example.org") is None


def test_a_body_without_the_token_of_the_session_is_refused(marketer: Console) -> None:
    data: dict[str, Any] = {"file": (BytesIO(b"email\n"), "list.csv"), "csrf_token": "forged"}
    answer = marketer.client.post("/console/data/imports", base_url=ORIGIN, data=data)
    assert answer.status_code == 400
    assert "There are no imports yet" in marketer.get("/console/data/imports").text


def test_a_reason_does_not_quote_a_whole_long_line(site: Site, marketer: Console) -> None:
    upload(marketer, "[" * 400_000, "deep.json")
    with site.database.reading() as session:
        failure = session.scalars(select(ConsoleJob.failure)).one()
    assert failure is not None
    assert len(failure) <= 500


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("row 2: ada@example.org is twice", "row 2: (an address) is twice"),
        ("<ada@example.org>,'b@c@d'", "<(an address)>,'(an address)'"),
        ("x" * 9 + "@y", "(an address)"),
        ("no @ address", "no @ address"),
    ],
)
def test_addresses_in_a_reason_are_left_out(text: str, shown: str) -> None:
    assert without_addresses(text) == shown


def test_a_reason_has_no_address(marketer: Console) -> None:
    path = upload(marketer, "ada@example.org,weekly-news\nbob@example.org,weekly-news\n")
    assert "@example.org" not in text_of(marketer, path).replace("marketer@example.org", "")


def test_the_body_of_an_upload_is_read_for_members_who_may_import(site: Site) -> None:
    (check,) = uploads.checks(site.app, site.services).values()

    def admitted(role: str, **more: str) -> bool:
        cookie = Console(site, role).client.get_cookie("__Host-console", "mail.example.org")
        assert cookie is not None
        headers = {b"cookie": f"{cookie.key}={cookie.value}".encode()}
        sent = {name.replace("_", "-").encode(): each.encode() for name, each in more.items()}
        return check({**headers, **sent})

    assert admitted("marketer")
    assert admitted("marketer", sec_fetch_site="same-origin")
    assert not admitted("marketer", sec_fetch_site="same-site")
    assert not admitted("viewer")
    assert not check({})
    assert not check({b"cookie": b"__Host-console=forged"})
