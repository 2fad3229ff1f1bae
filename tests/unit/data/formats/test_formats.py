"""The traps of each format."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from preference_center.core.vocab import ImportStatus
from preference_center.data.tabular import FileRefusedError
from tests.support import make
from tests.support.foreign_files import (
    MAILCHIMP_END,
    MAILCHIMP_START,
    Outcome,
    csv_of,
    workbook,
    zipped,
)

ADA, BEN = "ada@example.org", "ben@example.org"
TOPICS = {"weekly": "weekly-news", "12": "offers"}
SUBSCRIBE: Mapping[str, Any] = {
    "topics": TOPICS,
    "topic": "weekly-news",
    "status": ImportStatus.SUBSCRIBED,
}


def mailchimp(*extra: str, **cells: str) -> str:
    header = (*MAILCHIMP_START, *extra, *MAILCHIMP_END)
    return csv_of(header, [{"Email Address": ADA, **cells}])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("subscribed_email_audience_export_1.csv", "subscribed weekly-news"),
        ("subscribed_members_export_1.csv", "subscribed weekly-news"),
        ("nonsubscribed_email_audience_export_1.csv", "unconfirmed weekly-news"),
        ("unsubscribed_email_audience_export_1.csv", "unsubscribed weekly-news"),
        ("cleaned_email_audience_export_1.csv", "bounced *"),
        ("subscribed_sms_audience_export_1.csv", "known"),
        ("audience.csv", "known"),
        ("my_subscribed_people.csv", "known"),
        ("subscribed_and_unsubscribed.csv", "known"),
    ],
)
def test_mailchimp_subscribes_only_by_the_name_of_the_file(name: str, said: str) -> None:
    content = mailchimp("LAST_CHANGED")
    for outcome in (
        Outcome(content, name, topic="weekly-news"),
        Outcome(zipped(**{f"a/{name}": content}), "x.zip", topic="weekly-news"),
    ):
        assert outcome.said == [f"{ADA} {said}"]


def test_mailchimp_without_a_name_needs_the_status_option() -> None:
    options = {"topic": "weekly-news", "status": ImportStatus.SUBSCRIBED}
    assert Outcome(mailchimp("LAST_CHANGED"), **options).said == [f"{ADA} subscribed weekly-news"]
    stop = mailchimp("LAST_CHANGED", "UNSUB_TIME", UNSUB_TIME="2020-01-02 03:04:05")
    assert Outcome(stop, **options).said == [f"{ADA} unsubscribed weekly-news"]


def test_mailchimp_unsubscribes_by_an_admin_are_stops_with_their_reason_and_time() -> None:
    reason = "N/A (Unsubscribed by an admin)"
    content = mailchimp(
        "UNSUB_TIME", "UNSUB_REASON", UNSUB_TIME="2020-01-02 03:04:05", UNSUB_REASON=reason
    )
    outcome = Outcome(content, topic="weekly-news")
    assert outcome.said == [f"{ADA} unsubscribed weekly-news"]
    assert outcome.times[ADA] == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert outcome.stated[ADA] == f"changed_by: Mailchimp: {reason}"


@pytest.mark.parametrize(
    ("column", "said"), [("UNSUB_TIME", "unsubscribed weekly-news"), ("CLEAN_TIME", "bounced *")]
)
def test_mailchimp_files_without_a_name_are_told_apart_by_their_columns(
    column: str, said: str
) -> None:
    assert Outcome(mailchimp(column), topic="weekly-news").said == [f"{ADA} {said}"]
    # A file with the columns of both is about people of several kinds.
    both = Outcome(mailchimp(column, "LAST_CHANGED"), topic="weekly-news")
    assert both.said == [f"{ADA} known"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("UNSUB_CAMPAIGN_TITLE", "unsubscribed weekly-news"),
        ("UNSUB_REASON_OTHER", "unsubscribed weekly-news"),
        ("CLEAN_CAMPAIGN_ID", "bounced *"),
    ],
)
def test_mailchimp_columns_of_stops_are_stops_without_their_time(column: str, said: str) -> None:
    status = ImportStatus.SUBSCRIBED
    for content in (mailchimp(column), mailchimp(column, "LAST_CHANGED", **{column: "May"})):
        outcome = Outcome(content, "subscribed_1.csv", topic="weekly-news", status=status)
        assert outcome.said == [f"{ADA} {said}"]


@pytest.mark.parametrize(
    ("source", "header", "row"),
    [
        ("mailchimp", ",".join((*MAILCHIMP_START, *MAILCHIMP_END)), f"{ADA},,2,,,,,,vip;opted out"),
        ("kit", "first_name,email_address,state,created_at,tags", f"A,{ADA},active,,unsubscribed"),
        ("ghost", "email,subscribed_to_emails,labels", f"{ADA},true,Unsubscribed by phone"),
        ("listmonk", "uuid,email,status,attributes", f'1,{ADA},enabled,"{{""unsubscribed"": 1}}"'),
        ("ghost", "email,subscribed_to_emails,custom_fields.opt_out", f"{ADA},true,yes"),
    ],
)
def test_a_column_beside_those_that_are_read_can_keep_a_row_from_starting(
    source: str, header: str, row: str
) -> None:
    content = f"{header}\n{row}\n"
    outcome = Outcome(content, "subscribed_1.csv", source, topic="weekly-news")
    assert (outcome.subscribed, len(outcome.refused)) == (set(), 1)
    assert "may say that this person opted out" in outcome.refused[0].why
    ignored = frozenset({header.rpartition(",")[2].lower()})
    outcome = Outcome(content, "subscribed_1.csv", source, topic="weekly-news", ignored=ignored)
    assert outcome.subscribed == {ADA}


def test_an_opt_out_of_another_channel_does_not_keep_a_row_from_starting() -> None:
    header = "Email,Klaviyo ID,Email Marketing Consent,SMS Marketing Consent"
    content = f"{header}\n{ADA},1,SUBSCRIBED,UNSUBSCRIBED\n"
    assert Outcome(content, topic="weekly-news").subscribed == {ADA}


@pytest.mark.parametrize(
    ("source", "header", "row"),
    [
        ("sendgrid", "email,groupId,groupName,createdAt", f"{ADA},12,,"),
        ("sendgrid", "Email,Group ID,Group Name,Created At", f"{ADA},,Weekly,"),
        ("mailgun", "Address,TAGS,createdAt", f"{ADA},weekly,"),
    ],
)
def test_columns_of_topics_are_found_in_any_spelling(source: str, header: str, row: str) -> None:
    outcome = Outcome(f"{header}\n{row}\n", source=source, topics=TOPICS)
    assert (outcome.stopped, outcome.refused) == ({ADA}, [])
    assert not outcome.unmapped


def test_an_address_on_a_list_of_suppressions_without_a_reason_is_refused() -> None:
    content = f"emailAddress,reason\n{ADA},\n{BEN},BOUNCE\n"
    for options in ({}, SUBSCRIBE):
        outcome = Outcome(content, **options)
        assert (outcome.said, len(outcome.refused)) == ([f"{BEN} bounced *"], 1)
        assert "does not say why the address is on this list" in outcome.refused[0].why
    assert Outcome(content, status=ImportStatus.UNSUBSCRIBED).stopped == {ADA, BEN}


@pytest.mark.parametrize(
    "header",
    ["reason,email,created", "email,created", "email,group_id", "address,tags,created_at,id"],
)
def test_a_file_that_may_be_of_people_who_left_is_not_recognised_as_a_plain_one(
    header: str,
) -> None:
    with pytest.raises(FileRefusedError, match=r"not recognised.*If it is from"):
        Outcome(f"{header}\n", **SUBSCRIBE)
    assert Outcome(f"{header}\n", status=ImportStatus.UNSUBSCRIBED).said == []


def test_mailchimp_takes_the_time_of_the_confirmation() -> None:
    times = {"OPTIN_TIME": "2018-02-12 10:54:27", "CONFIRM_TIME": "2018-02-12 10:55:27"}
    outcome = Outcome(mailchimp("LAST_CHANGED", **times), "subscribed_1.csv", topic="weekly-news")
    assert outcome.times[ADA] == datetime(2018, 2, 12, 10, 55, 27, tzinfo=UTC)


def test_mailchimp_files_may_name_the_address_in_any_language() -> None:
    content = mailchimp("CLEAN_TIME").replace("Email Address", "Deine Mail")
    assert Outcome(content).said == [f"{ADA} bounced *"]


@pytest.mark.parametrize("second", ["E-Mail", "Email Address", "E-Mail-Adresse"])
def test_a_stop_is_about_every_address_of_a_row(second: str) -> None:
    header = f"Email Address,{second},MEMBER_RATING,LEID,EUID,UNSUB_TIME\n"
    only_second = Outcome(f"{header},{ADA},2,1,2,2022-01-01 00:00:00\n")
    assert (only_second.stopped, only_second.refused) == ({ADA}, [])
    both = Outcome(f"{header}{BEN},{ADA},2,1,2,2022-01-01 00:00:00\n")
    assert both.stopped == {ADA, BEN}
    assert "the row has 2 addresses: each is unsubscribed" in both.warnings
    faulty = Outcome(f"{header}ben at x@,{ADA},2,1,2,2022-01-01 00:00:00\n")
    assert faulty.stopped == {ADA}
    assert any("the email cannot be used" in each for each in faulty.warnings)


def test_an_address_in_a_column_that_is_ignored_is_not_stopped() -> None:
    content = f"Email Address,E-Mail,MEMBER_RATING,LEID,EUID,UNSUB_TIME\n{BEN},{ADA},2,1,2,x\n"
    assert Outcome(content, ignored=frozenset({"e-mail"})).stopped == {BEN}


def test_a_start_is_about_the_first_address_of_a_row() -> None:
    header = "Email Address,E-Mail,MEMBER_RATING,LEID,EUID,LAST_CHANGED\n"
    for row, email in ((f",{ADA},2,1,2,", ADA), (f"{BEN},{ADA},2,1,2,", BEN)):
        outcome = Outcome(f"{header}{row}\n", "subscribed_1.csv", topic="weekly-news")
        assert outcome.said == [f"{email} subscribed weekly-news"]


def test_a_start_is_refused_if_it_is_unclear_which_address_it_is_about() -> None:
    content = f"Adresse e-mail,Courriel,MEMBER_RATING,LEID,EUID\n{ADA},{BEN},2,1,2\n"
    outcome = Outcome(content, "subscribed_1.csv", topic="weekly-news")
    assert outcome.said == []
    assert [row.why for row in outcome.refused] == ["it is unclear which column holds the address"]
    assert Outcome(content, "unsubscribed_1.csv", topic="weekly-news").stopped == {ADA, BEN}


def test_a_merge_field_that_may_be_about_opting_out_must_be_ignored_explicitly() -> None:
    header = ("Email Address", "Newsletter", "MEMBER_RATING", "OPTIN_TIME", "LEID", "EUID")
    content = csv_of(header, [{"Email Address": ADA, "Newsletter": "no"}])
    outcome = Outcome(content, "subscribed_1.csv", topic="weekly-news")
    assert outcome.said == []
    assert "the column newsletter may say" in outcome.refused[0].why
    ignored = frozenset({"newsletter"})
    outcome = Outcome(content, "subscribed_1.csv", topic="weekly-news", ignored=ignored)
    assert outcome.subscribed == {ADA}


def test_all_stops_of_an_archive_come_before_any_start() -> None:
    archive = zipped(
        **{
            "subscribed_1.csv": mailchimp("LAST_CHANGED"),
            "unsubscribed_1.csv": mailchimp("UNSUB_TIME").replace(ADA, BEN),
        }
    )
    outcome = Outcome(archive, topic="weekly-news")
    assert outcome.said == [f"{BEN} unsubscribed weekly-news", f"{ADA} subscribed weekly-news"]


def listmonk(status: str, updated_at: str = "2023-05-06 07:08:09.1 +0000 UTC") -> str:
    header = ("uuid", "email", "name", "attributes", "status", "created_at", "updated_at")
    return csv_of(header, [{"email": ADA, "status": status, "updated_at": updated_at}])


@pytest.mark.parametrize(
    ("word", "without", "with_topic", "of_unsubscribed"),
    [
        ("enabled", "known", "subscribed weekly-news", "unsubscribed weekly-news"),
        ("disabled", "known", "known", "unsubscribed weekly-news"),
        ("blocklisted", "all *", "all *", "all *"),
    ],
)
def test_listmonk_statuses_say_nothing_of_lists(
    word: str, without: str, with_topic: str, of_unsubscribed: str
) -> None:
    content, status = listmonk(word), ImportStatus.UNSUBSCRIBED
    assert Outcome(content).said == [f"{ADA} {without}"]
    assert Outcome(content, topic="weekly-news").said == [f"{ADA} {with_topic}"]
    both = Outcome(content, topic="weekly-news", status=status)
    assert both.said == [f"{ADA} {of_unsubscribed}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-05-06 07:08:09.123456 +0000 UTC", datetime(2023, 5, 6, 7, 8, 9, 123456, UTC)),
        ("2023-05-06 07:08:09.123456789 +0530 IST", datetime(2023, 5, 6, 1, 38, 9, 123456, UTC)),
        ("2023-05-06 07:08:09 +0200 +0200", datetime(2023, 5, 6, 5, 8, 9, 0, UTC)),
        ("2023-05-06 07:08:09 +0000 UTC m=+0.012", datetime(2023, 5, 6, 7, 8, 9, 0, UTC)),
    ],
)
def test_listmonk_times_are_those_of_go(text: str, expected: datetime) -> None:
    outcome = Outcome(listmonk("blocklisted", text))
    assert (outcome.times[ADA], outcome.warnings) == (expected, [])


def test_an_unreadable_time_of_a_stop_is_a_warning_and_not_a_reason_to_keep_emailing() -> None:
    outcome = Outcome(listmonk("blocklisted", "yesterday"))
    assert outcome.said == [f"{ADA} all *"]
    assert outcome.times[ADA] is None
    assert "since is not a time" in outcome.warnings[0]


def test_an_unknown_status_is_refused_by_name_unless_the_row_has_a_stop() -> None:
    header = ("email", "status", "tier", "unsubscribed_at")
    rows = [
        {"email": ADA, "status": "lurking"},
        {"email": BEN, "status": "lurking", "unsubscribed_at": "2023-03-24 10:23:10 UTC"},
    ]
    outcome = Outcome(csv_of(header, rows), source="beehiiv", topic="weekly-news")
    assert outcome.said == [f"{BEN} unsubscribed weekly-news"]
    assert [row.why for row in outcome.refused] == ["status has an unknown word"]
    assert outcome.unknown == {"lurking"}


def test_substack_placeholders_of_deleted_people_are_skipped() -> None:
    header = ("email", "active_subscription", "expiry", "email_disabled", "created_at")
    row = {"email": "x1@deletion-request.substack.com", "email_disabled": "true"}
    outcome = Outcome(csv_of(header, [row]))
    assert (outcome.said, outcome.skipped, outcome.refused) == ([], 1, [])


def test_substack_archives_have_other_tables_that_are_not_read() -> None:
    header = ("email", "active_subscription", "expiry", "email_disabled", "created_at")
    archive = zipped(
        **{
            "posts.csv": "post_id,title\n1,Hello\n",
            "posts/1.hello.html": "<p>Hello",
            "posts/1.opens.csv": "post_id,timestamp,email\n1,,ada@example.org\n",
            "email_list.northwind.csv": csv_of(header, [{"email": ADA, "email_disabled": "true"}]),
        }
    )
    outcome = Outcome(archive)
    assert outcome.said == [f"{ADA} all *"]
    assert "Not read: posts.csv, posts/1.hello.html." in outcome.file.notes
    assert any(note.endswith("for addresses: 1.opens.csv.") for note in outcome.file.notes)


@pytest.mark.parametrize("source", ["substack", "hubspot"])
def test_false_or_absent_is_no_consent_unless_the_operator_says_so(source: str) -> None:
    header, flag = {
        "substack": (("email", "plan", "email_disabled"), "email_disabled"),
        "hubspot": (("Record ID", "Email", "Unsubscribed from all email"), ""),
    }[source]
    row = {header[0] if source == "substack" else "Email": ADA, **({flag: "false"} if flag else {})}
    content = csv_of(header, [row])
    assert Outcome(content, topic="weekly-news").said == [f"{ADA} known"]
    outcome = Outcome(content, topic="weekly-news", status=ImportStatus.SUBSCRIBED)
    assert outcome.subscribed == {ADA}


def test_brevo_is_read_as_it_is_written() -> None:
    content = (
        "\ufeffCONTACT ID;EMAIL;LASTNAME;EMAIL_BLACKLISTED;ADDED_TIME;MODIFIED_TIME\r\n"
        f"1;{ADA};Durand;Yes;12-04-2022;13-04-2022\r\n2;{BEN};;No;12-04-2022;12-04-2022\r\n"
    )
    outcome = Outcome(content)
    assert outcome.said == [f"{ADA} all *", f"{BEN} known"]
    assert outcome.times[ADA] == datetime(2022, 4, 13, 23, 59, 59, tzinfo=UTC)


def test_a_stop_of_today_without_a_time_of_day_is_not_in_the_future() -> None:
    header = ("EMAIL", "CONTACT ID", "MODIFIED_TIME", "_BLOCKLISTED")
    row = {"EMAIL": ADA, "_BLOCKLISTED": "email_marketing"}
    today = f"{make.NOW:%d-%m-%Y}"
    outcome = Outcome(csv_of(header, [{**row, "MODIFIED_TIME": today}], ";"))
    assert (outcome.times[ADA], outcome.warnings) == (make.NOW, [])


def test_hubspot_types_are_topics() -> None:
    header = ("Email", "Portal Bounce", "Portal Unsubscribe", "Global Bounce", "Weekly", "Offers")
    sheet = [header, [ADA, False, False, False, True, False], [BEN, False, False, False, "", True]]
    outcome = Outcome(workbook({"Sheet1": sheet}), topics=TOPICS)
    assert outcome.said == [f"{ADA} unsubscribed weekly-news", f"{BEN} all *"]
    assert outcome.unmapped == {"offers"}
    assert outcome.warnings == ["its topic is not mapped: unsubscribed from every topic"]


def test_an_opt_out_of_one_hubspot_type_does_not_keep_another_topic_from_starting() -> None:
    header = ("Record ID", "Email", "Unsubscribed from all email", "Opted out of email: Weekly")
    row = {"Email": ADA, "Opted out of email: Weekly": "true"}
    outcome = Outcome(
        csv_of(header, [row]), topics=TOPICS, topic="offers", status=ImportStatus.SUBSCRIBED
    )
    assert outcome.said == [f"{ADA} unsubscribed weekly-news", f"{ADA} subscribed offers"]


@pytest.mark.parametrize("text", ["Opted out", "WAHR", "✓", "?"])
def test_any_text_of_a_hubspot_type_that_is_not_false_is_an_opt_out(text: str) -> None:
    portal = f"Email,Portal Bounce,Portal Unsubscribe,Weekly\n{ADA},FALSE,FALSE,{text}\n"
    assert Outcome(portal, topics=TOPICS).said == [f"{ADA} unsubscribed weekly-news"]
    no = portal.replace(text, "FALSCH")
    assert Outcome(no, topics=TOPICS).said == [f"{ADA} known"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Opted out of email - Weekly", "unsubscribed weekly-news"),
        ("Opted out of email : Weekly", "unsubscribed weekly-news"),
        ("opted_out_of_e-mail_weekly", "unsubscribed weekly-news"),
        ("HS Email Optout 12", "unsubscribed offers"),
        ("hs_email_optout_99", "all *"),
        ("Opted out of email", "all *"),
    ],
)
def test_hubspot_types_are_found_by_the_letters_of_the_name(name: str, said: str) -> None:
    content = f"Record ID,Email,Create Date,{name}\n1,{ADA},2024-01-01,true\n"
    options: Any = {"topics": TOPICS, "topic": "weekly-news", "status": ImportStatus.SUBSCRIBED}
    assert Outcome(content, **options).said[0] == f"{ADA} {said}"


@pytest.mark.parametrize("name", ["Weekly", "99"])
def test_a_row_does_not_start_a_topic_that_it_ends(name: str) -> None:
    content = f"Record ID,Email,Create Date,Opted out of email: {name}\n1,{ADA},2024-01-01,true\n"
    options: Any = {"topics": TOPICS, "topic": "weekly-news", "status": ImportStatus.SUBSCRIBED}
    outcome = Outcome(content, **options)
    assert (outcome.stopped, outcome.subscribed, outcome.refused) == ({ADA}, set(), [])


def test_a_type_that_is_twice_in_a_file_is_one_topic() -> None:
    name = "Opted out of email: Weekly"
    content = f"Record ID,Email,Create Date,{name},{name}\n1,{ADA},2024-01-01,,true\n"
    assert Outcome(content, topics=TOPICS).said == [f"{ADA} unsubscribed weekly-news"]


def test_a_column_that_is_no_subscription_type_can_be_ignored() -> None:
    content = f"Email,Portal Bounce,Portal Unsubscribe,Shoe\n{ADA},FALSE,FALSE,left\n"
    assert Outcome(content).said == [f"{ADA} all *"]
    assert Outcome(content, ignored=frozenset({"shoe"})).said == [f"{ADA} known"]


def test_an_own_field_beside_the_status_of_kit_can_be_ignored() -> None:
    content = f"first_name,email,state,status,created_at,tags\nA,{ADA},Texas,active,,\n"
    assert Outcome(content, source="kit", topic="weekly-news").unknown == {"Texas"}
    options: Any = {"topic": "weekly-news", "ignored": frozenset({"state"})}
    assert Outcome(content, source="kit", **options).subscribed == {ADA}


def test_sendgrid_blocks_stop_nobody_and_are_told_apart_by_their_name() -> None:
    header = ("status", "reason", "email", "created")
    content = csv_of(header, [{"status": "4.0.0", "email": ADA, "created": "1443651154"}])
    blocks = Outcome(content, "suppression_blocks.csv", "sendgrid")
    assert (blocks.said, blocks.skipped) == ([], 1)
    assert Outcome(content, "suppression_bounces.csv", "sendgrid").said == [f"{ADA} bounced *"]
    unclear = Outcome(content, "download.csv", "sendgrid")
    assert (unclear.said, len(unclear.refused)) == ([], 1)
    assert "may be of bounces or of blocks" in unclear.refused[0].why
    status = ImportStatus.BOUNCED
    assert Outcome(content, "x.csv", "sendgrid", status=status).said == [f"{ADA} bounced *"]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("reason,email,created", "bounced *"),
        ("ip,email,created", "complained *"),
        ("email,created", "all *"),
    ],
)
@pytest.mark.parametrize("created", ["1443651154", "2015-09-30 22:12:34"])
def test_sendgrid_lists_are_told_apart_by_their_columns(
    header: str, said: str, created: str
) -> None:
    row = {"email": ADA, "created": created}
    outcome = Outcome(csv_of(header.split(","), [row]), source="sendgrid")
    assert outcome.said == [f"{ADA} {said}"]
    assert outcome.times[ADA] == datetime(2015, 9, 30, 22, 12, 34, tzinfo=UTC)


def test_sendgrid_groups_are_mapped_by_number_or_name() -> None:
    header = ("email", "group_id", "group_name", "created_at")
    rows = [{"email": ADA, "group_id": "12"}, {"email": BEN, "group_name": "WEEKLY"}]
    outcome = Outcome(csv_of(header, rows), topics=TOPICS)
    assert outcome.said == [f"{ADA} unsubscribed offers", f"{BEN} unsubscribed weekly-news"]


SES_ENTRY = {
    "EmailAddress": ADA,
    "Reason": "BOUNCE",
    "LastUpdateTime": "2026-01-02T03:04:05.678000+00:00",
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("order", [1, -1])
def test_ses_pages_are_read_in_any_spelling(indent: int | None, order: int) -> None:
    page = {"SuppressedDestinationSummaries": [SES_ENTRY], "NextToken": "x"}
    last = {
        "SuppressedDestinationSummaries": [
            {"EmailAddress": BEN, "Reason": "COMPLAINT", "LastUpdateTime": 1767323045.678}
        ]
    }
    pages = (dict([*page.items()][::order]), last)
    outcome = Outcome("\n".join(json.dumps(each, indent=indent) for each in pages))
    assert outcome.said == [f"{ADA} bounced *", f"{BEN} complained *"]
    at = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert outcome.times == {ADA: at, BEN: at}


@pytest.mark.parametrize(
    "content",
    [
        f"{ADA},BOUNCE\r\n{BEN},COMPLAINT\r\n",
        f'{{"emailAddress":"{ADA}","reason":"BOUNCE"}}\n'
        f'{{"emailAddress":"{BEN}","reason":"COMPLAINT"}}\n',
        f'[{{"emailAddress":"{ADA}","reason":"BOUNCE"}},\n'
        f'{{"emailAddress":"{BEN}","reason":"COMPLAINT"}}]\n',
    ],
)
def test_ses_bulk_files_have_no_header_or_one_object_on_each_line(content: str) -> None:
    assert Outcome(content).said == [f"{ADA} bounced *", f"{BEN} complained *"]


def test_ses_contacts_have_a_choice_for_each_topic() -> None:
    contact = {
        "emailAddress": ADA,
        "unsubscribeAll": False,
        "topicPreferences": [
            {"topicName": "Weekly", "subscriptionStatus": "OPT_IN"},
            {"topicName": "12", "subscriptionStatus": "OPT_OUT"},
            {"topicName": "Rest", "subscriptionStatus": "OPT_IN"},
        ],
    }
    outcome = Outcome(f"{json.dumps(contact)}\n", topics=TOPICS)
    assert outcome.said == [f"{ADA} unsubscribed offers", f"{ADA} subscribed weekly-news"]
    assert outcome.unmapped == {"Rest"}
    left = json.dumps({**contact, "unsubscribeAll": True})
    assert f"{ADA} all *" in Outcome(f"{left}\n", topics=TOPICS).said
    assert not Outcome(f"{left}\n", topics=TOPICS).subscribed


def test_an_unknown_word_beside_an_opt_out_of_one_topic_starts_nothing() -> None:
    header = ("emailAddress", "unsubscribeAll", "reason", "topicPreferences.12")
    row = {"emailAddress": ADA, "reason": "ODD", "topicPreferences.12": "OPT_OUT"}
    outcome = Outcome(
        csv_of(header, [row]), topics=TOPICS, topic="weekly-news", status=ImportStatus.SUBSCRIBED
    )
    assert outcome.said == [f"{ADA} unsubscribed offers"]
    assert outcome.unknown == {"ODD"}


def test_mailgun_tags_are_topics() -> None:
    header = ("address", "tags", "created_at")
    rows = [
        {"address": ADA, "tags": "weekly", "created_at": "Tue, 07 Jan 2025 19:25:45 UTC"},
        {"address": BEN, "tags": "*"},
    ]
    outcome = Outcome(csv_of(header, rows), topics=TOPICS)
    assert outcome.said == [f"{ADA} unsubscribed weekly-news", f"{BEN} all *"]
    assert outcome.times[ADA] == datetime(2025, 1, 7, 19, 25, 45, tzinfo=UTC)


def test_mailgun_complaints_and_bounces() -> None:
    bounces = csv_of(("address", "code", "error", "created_at"), [{"address": ADA, "code": "550"}])
    assert Outcome(bounces).said == [f"{ADA} bounced *"]
    complaints = csv_of(("address", "created_at"), [{"address": ADA}])
    assert Outcome(complaints, source="mailgun").said == [f"{ADA} complained *"]


def test_a_suppressed_klaviyo_profile_is_stopped_since_the_import() -> None:
    header = (
        *("Email", "Klaviyo ID", "Email Marketing Consent"),
        *("Email Marketing Consent Timestamp", "Email Suppressions"),
    )
    row = {
        "Email": ADA,
        "Email Marketing Consent": "SUBSCRIBED",
        "Email Marketing Consent Timestamp": "2020-01-02 03:04:05",
        "Email Suppressions": "['USER_SUPPRESSED']",
    }
    outcome = Outcome(csv_of(header, [row]), topic="weekly-news")
    assert outcome.said == [f"{ADA} all *"]
    assert outcome.times[ADA] is None
    left = {**row, "Email Marketing Consent": "UNSUBSCRIBED", "Email Suppressions": ""}
    outcome = Outcome(csv_of(header, [left]), topic="weekly-news")
    assert outcome.times[ADA] == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_columns_that_are_twice_in_a_file_are_both_read() -> None:
    header = f"{','.join(MAILCHIMP_START)},UNSUB_TIME,UNSUB_TIME,LAST_CHANGED,LEID,EUID"
    content = f"{header}\r\n{ADA},,,,,,2020-01-02 03:04:05,,,\r\n"
    assert Outcome(content, "subscribed_1.csv", topic="weekly-news").stopped == {ADA}


def test_a_faulty_row_still_stops_and_never_starts() -> None:
    content = mailchimp("LAST_CHANGED", "UNSUB_TIME", UNSUB_TIME="2020-01-02 03:04:05")
    assert Outcome(content.strip() + ",surplus,surplus").stopped == {ADA}
    start = mailchimp("LAST_CHANGED").strip() + ",surplus,surplus"
    outcome = Outcome(start, "subscribed_1.csv", topic="weekly-news")
    assert (outcome.said, len(outcome.refused)) == ([], 1)


def test_a_stop_without_a_readable_address_is_refused_once() -> None:
    outcome = Outcome(mailchimp("UNSUB_TIME").replace(ADA, "ada at example.org"))
    assert [row.line for row in outcome.refused] == [2]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("topicPreferences", "[{'topicName': 'Weekly', 'subscriptionStatus': 'OPT_OUT'}]"),
        ("topicPreferences", '{"topicName": "Weekly", "subscriptionStatus": "OPT_OUT"}'),
        ("topicPreferences", '[1, {"TopicName": "Weekly", "SubscriptionStatus": "OPT_OUT"}]'),
        ("Topic Preferences", '{"Weekly": "OPT_OUT"}'),
        ("topicPreferences_Weekly", "OPT_OUT"),
        ("topicPreferences: Weekly", "out"),
    ],
)
def test_ses_choices_of_topics_are_read_in_any_form(name: str, choices: str) -> None:
    content = csv_of(
        ("emailAddress", "unsubscribeAll", name),
        [{"emailAddress": ADA, "unsubscribeAll": "false", name: choices}],
    )
    outcome = Outcome(content, **SUBSCRIBE)
    assert outcome.stopped == {ADA}
    assert outcome.said[0] == f"{ADA} unsubscribed weekly-news"
    starting = content.replace("OPT_OUT", "OPT_IN").replace(",out", ",OPT_IN")
    assert not Outcome(starting, topics=TOPICS).stopped


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[1, {}]", "{", "OPT_OUT", '{"Weekly": 1}', '[{"topicName": "Weekly"}]']
)
def test_unreadable_choices_of_ses_contacts_are_refused(text: str) -> None:
    row = {"emailAddress": ADA, "unsubscribeAll": "false", "topicPreferences": text}
    outcome = Outcome(csv_of(tuple(row), [row]), **SUBSCRIBE)
    assert outcome.said == []
    assert [each.why for each in outcome.refused] == ["the choice of topics cannot be read"]
    left = {**row, "unsubscribeAll": "true"}
    outcome = Outcome(csv_of(tuple(left), [left]), **SUBSCRIBE)
    assert (outcome.said, outcome.refused) == ([f"{ADA} all *"], [])


@pytest.mark.parametrize("text", ["", "null", "[]", "N/A"])
def test_ses_contacts_may_have_chosen_nothing(text: str) -> None:
    row = {"emailAddress": ADA, "unsubscribeAll": "false", "topicPreferences": text}
    assert Outcome(csv_of(tuple(row), [row]), topic="weekly-news").said == [f"{ADA} known"]


def test_a_row_with_very_many_topics_ends_every_topic() -> None:
    tags = "|".join(f"tag{number}" for number in range(100_000))
    outcome = Outcome(csv_of(("address", "tags", "created_at"), [{"address": ADA, "tags": tags}]))
    assert outcome.said == [f"{ADA} all *"]


def test_a_name_of_a_column_of_a_workbook_may_have_separators() -> None:
    header = ["email", "topic", "status", "Tags; all; of; them; too"]
    sheet = [header, [ADA, "weekly-news", "unsubscribed", "a;b"]]
    assert Outcome(workbook({"People": sheet})).said == [f"{ADA} unsubscribed weekly-news"]


def test_an_unknown_file_is_refused_with_its_columns_and_what_to_do() -> None:
    with pytest.raises(FileRefusedError) as error:
        Outcome("Shoe,Mail address,Wants it\n1,ada@example.org,no\n")
    assert "not recognised. Its columns are Shoe, Mail address, Wants it." in str(error.value)
    assert "use --from csv, with --map" in str(error.value)


def test_columns_that_many_systems_have_need_the_name_of_the_format() -> None:
    with pytest.raises(FileRefusedError, match="If it is from SendGrid, use --from sendgrid"):
        Outcome("email,created\nada@example.org,1443651154\n")


@pytest.mark.parametrize(
    ("header", "name", "how"),
    [
        ("ip,email,created", "", ": each row then counts as complained."),
        ("reason,email,created", "", ": each row then counts as bounced."),
        ("email,created", "", ": each row then counts as unsubscribed from everything."),
        ("status,reason,email,created", "suppression_bounces.csv", ": each row .* as bounced."),
        ("status,reason,email,created", "suppression_blocks.csv", ": each row .* not imported."),
        ("status,reason,email,created", "", ", and keep the name that the file had there"),
        ("email,group_id", "", ", and keep the name that the file had there"),
    ],
)
def test_the_hint_says_what_a_row_means_in_a_file_of_sendgrid(
    header: str, name: str, how: str
) -> None:
    hint = f"from SendGrid, use --from sendgrid{how}"
    if "status" not in header:
        with pytest.raises(FileRefusedError, match=hint):
            Outcome(f"{header}\n", name)
    else:  # It could also be a file with the columns of `import`.
        notes = Outcome(f"{header}\n", name).file.notes
        assert any(re.search(hint, each) for each in notes)


def test_a_column_of_hubspot_that_is_twice_in_a_file_is_no_subscription_type() -> None:
    header = "Email,Email,Portal Bounce,Portal Bounce,Portal Unsubscribe,Weekly"
    content = f"{header}\n{ADA},{ADA},FALSE,FALSE,FALSE,FALSE\n{BEN},,,,,TRUE\n"
    assert Outcome(content, topics=TOPICS).stopped == {BEN}


@pytest.mark.parametrize("name", ["bounces.csv", "sub/notes.xlsx", "people.dat", "x/people"])
def test_a_part_that_keeps_a_file_from_starting_anything_has_one_note(name: str) -> None:
    rows = {"subscribed_1.csv": mailchimp("LAST_CHANGED"), name: f"email\n{BEN}\n"}
    notes = Outcome(zipped(**rows), topic="weekly-news").file.notes
    assert [each for each in notes if name.rpartition("/")[2] in each] == [
        f"Nothing is started, because these may say who opted out: {name}."
    ]


@pytest.mark.parametrize(
    "content",
    [f"{BEN}\n", f"name;mail\nB;{BEN}\n", f"<c>{BEN}</c>", f"x\t{BEN}\r\n".encode("utf-16")],
)
def test_an_entry_of_any_name_that_has_addresses_keeps_the_others_from_starting(
    content: str | bytes,
) -> None:
    for name in ("people.dat", "people", "people.csv.old", "people.xml"):
        archive = zipped(**{"subscribed_1.csv": mailchimp("LAST_CHANGED"), name: content})
        outcome = Outcome(archive, topic="weekly-news")
        assert (outcome.said, len(outcome.refused)) == ([], 1), name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("posts/1.html", f'<a href="mailto:{BEN}">{BEN}</a>'),
        ("readme.pdf", b"%PDF \0,ben@example.org,"),
        ("LICENSE", "You may write to ben@example.org about this."),
        ("._people.csv", f"{BEN}\n"),
        ("empty", b""),
    ],
)
def test_other_entries_do_not(name: str, content: str | bytes) -> None:
    archive = zipped(**{"subscribed_1.csv": mailchimp("LAST_CHANGED"), name: content})
    assert Outcome(archive, topic="weekly-news").subscribed == {ADA}


def test_an_entry_whose_name_begins_with_a_dot_is_read() -> None:
    left = mailchimp("UNSUB_TIME").replace(ADA, BEN)
    archive = zipped(**{"subscribed_1.csv": mailchimp("LAST_CHANGED"), ".left.csv": left})
    assert Outcome(archive, topic="weekly-news").stopped == {BEN}


def test_a_file_of_unsubscribe_groups_has_no_note_that_it_is_not_read() -> None:
    groups = f"email,group_id,group_name,created_at\n{ADA},12,,\n"
    archive = zipped(**{"suppression_group_unsubscribes.csv": groups})
    notes = Outcome(archive, topics=TOPICS).file.notes
    assert not any(each.startswith("Nothing is started") for each in notes)


@pytest.mark.parametrize("name", ["activeSubscriber", "stopFlag", "isDNC"])
def test_capital_letters_tell_the_words_of_a_column_apart(name: str) -> None:
    row = {"email": ADA, "topic": "weekly-news", "status": "subscribed", name: "x"}
    for content in (csv_of(tuple(row), [row]), f"{json.dumps(row)}\n"):
        with pytest.raises(FileRefusedError, match=f"may say who opted out.*: {name.lower()}"):
            Outcome(content)
        ignored = frozenset({name.lower()})
        assert Outcome(content, ignored=ignored).subscribed == {ADA}
    kit = f"email,status,first_name,tags,created_at,{name}\n{ADA},active,,,,x\n"
    outcome = Outcome(kit, source="kit", topic="weekly-news")
    assert (outcome.said, len(outcome.refused)) == ([], 1)


def test_a_file_that_two_formats_match_is_refused() -> None:
    both = zipped(
        **{"a.csv": mailchimp("UNSUB_TIME"), "b.csv": "address,tags,created_at\nada@x.org,*,\n"}
    )
    with pytest.raises(FileRefusedError, match=r"several formats.*mailchimp.*mailgun"):
        Outcome(both)


def test_a_named_format_must_fit() -> None:
    with pytest.raises(FileRefusedError, match=r"not a file as Ghost writes it\. Its columns are"):
        Outcome("email,status\nada@example.org,unsubscribed\n", source="ghost")


def test_options_replace_columns_that_are_missing() -> None:
    content = "name,Kontakt\nAda,ada@example.org\n"
    columns = (("kontakt", "email"),)
    options = {"topic": "weekly-news", "status": ImportStatus.UNSUBSCRIBED}
    assert Outcome(zipped(**{"a.csv": content}), columns=columns, **options).stopped == {ADA}
    mail = content.replace("Kontakt", "Mail")
    assert Outcome(zipped(**{"a.csv": mail}), **options).stopped == {ADA}


def test_our_own_columns_are_recognised() -> None:
    content = "email,topic,status\nada@example.org,weekly-news,unsubscribed\n"
    outcome = Outcome(zipped(**{"people.csv": content}))
    assert (outcome.file.form, outcome.stopped) == (None, {ADA})
