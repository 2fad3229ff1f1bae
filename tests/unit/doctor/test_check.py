"""A good letter, then one fault at a time: only the matching findings change."""

from dataclasses import replace

import pytest

from preference_center.doctor.check import compare
from preference_center.doctor.link import Installation
from preference_center.doctor.report import CHECKS
from tests.support.letter import (
    HTML,
    LINK,
    OURS,
    SIGNED,
    findings,
    letter,
    links,
    message_report,
    problems,
)

URL, MAILTO = links().list_unsubscribe.split(", ")
TRIAL = links(campaign="test")
ELSEWHERE = "https://news.example.net/leave/abc"
UNCONFIGURED = Installation()
OTHER_KEY = "another-link-key-for-tests-7hJ2kL5mN8pQ"
NOT_PROBED = {"probe-get", "probe-head", "probe-post", "topics-apart"}

BROKEN = [
    # the fault, the letter, the findings
    ("no header", letter(List_Unsubscribe=None), {"list-unsubscribe": "failure"}),
    ("two headers", letter(List_Unsubscribe=[URL, URL]), {"list-unsubscribe": "failure"}),
    ("no post", letter(List_Unsubscribe_Post=None), {"list-unsubscribe-post": "failure"}),
    (
        "two posts",
        letter(List_Unsubscribe_Post=["List-Unsubscribe=One-Click"] * 2),
        {"list-unsubscribe-post": "failure"},
    ),
    *(
        (
            f"post is {value}",
            letter(List_Unsubscribe_Post=value),
            {"list-unsubscribe-post": "failure"},
        )
        for value in (
            "One-Click",
            '"List-Unsubscribe=One-Click"',
            "List-Unsubscribe=One-Click;",
            "list-unsubscribe=one-click",
            "List-Unsubscribe = One-Click",
        )
    ),
    (
        "encoded word",
        letter(List_Unsubscribe="=?utf-8?q?=3Chttps=3A//mail=2Eexample=2Eorg/u/x=3E?="),
        {"encoding": "failure"},
    ),
    ("not ASCII", letter(List_Unsubscribe="<https://exämple.org/u>"), {"encoding": "failure"}),
    ("control character", letter(List_Unsubscribe=f"{URL}\x07"), {"encoding": "failure"}),
    ("no brackets", letter(List_Unsubscribe=LINK), {"syntax": "failure"}),
    ("no comma", letter(List_Unsubscribe=f"{URL} {MAILTO}"), {"syntax": "failure"}),
    ("surrounding words", letter(List_Unsubscribe=f"click {URL}"), {"syntax": "failure"}),
    ("only mailto", letter(List_Unsubscribe=MAILTO), {"https": "failure"}),
    (
        "http",
        letter(List_Unsubscribe=URL.replace("https", "http")),
        {"https": "failure"},
    ),
    ("no host", letter(List_Unsubscribe="<https:///u/x>"), {"https": "failure"}),
    ("capitals", letter(List_Unsubscribe=URL.replace("https", "HTTPS")), {"https": "warning"}),
    ("two addresses", letter(List_Unsubscribe=f"{URL}, {URL}"), {"https": "warning"}),
    ("mailto first", letter(List_Unsubscribe=f"{MAILTO}, {URL}"), {"order": "warning"}),
    (
        "folded inside the address",
        letter(List_Unsubscribe=URL.replace("/u/", "/u/\r\n ")),
        {"folding": "warning"},
    ),
    (
        "a line over 998 octets",
        letter(List_Unsubscribe=f"{URL}, <mailto:{'a' * 900}@example.org>"),
        {"folding": "warning"},
    ),
    (
        "another mailto",
        letter(List_Unsubscribe=f"{URL}, {links('offers').list_unsubscribe.split(', ')[1]}"),
        {"mailto": "warning"},
    ),
    (
        "a preferences link",
        letter(List_Unsubscribe=f"<{links().preferences_url}>"),
        {"link": "failure"},
    ),
    (
        "a preferences link under /u/",
        letter(List_Unsubscribe=f"<{links().preferences_url.replace('/p/', '/u/')}>"),
        {"link": "failure"},
    ),
    (
        "an unknown key",
        letter(List_Unsubscribe=f"<{links(key=OTHER_KEY).unsubscribe_url}>"),
        {"link": "failure"},
    ),
    (
        "a test link",
        letter(List_Unsubscribe=f"<{TRIAL.unsubscribe_url}>"),
        {"test-link": "warning"},
    ),
    (
        "a test link in the HTML",
        letter(html=HTML.replace(LINK, TRIAL.preferences_url)),
        {"test-link": "warning"},
    ),
    (
        "a test link in the text",
        letter(text=f"Unsubscribe: {TRIAL.unsubscribe_url}"),
        {"test-link": "warning"},
    ),
    ("a link cut short", letter(List_Unsubscribe=f"{URL[:-3]}>"), {"link": "failure"}),
    (
        "another installation",
        letter(List_Unsubscribe=URL.replace("mail.", "other.")),
        {"link": "warning"},
    ),
    ("no List-Id", letter(List_Id=None), {"list-id": "warning"}),
    ("two List-Ids", letter(List_Id=["<a.example.org>"] * 2), {"list-id": "warning"}),
    *(
        (f"List-Id is {value}", letter(List_Id=value), {"list-id": "warning"})
        for value in (
            "weekly-news.example.org",
            "<weekly-news>",
            "<weekly news.example.org>",
            "=?utf-8?q?W=C3=B6chentlich?= <=?utf-8?q?w?=.example.org>",
            "<news-2026-11-22.example.org>",
            "<20261122.example.org>",
            "<mailing-1763999999.example.org>",
            "<ada=example.com.lists.example.org>",
        )
    ),
    ("two Feedback-IDs", letter(Feedback_ID=["a:b:c:sender"] * 2), {"feedback-id": "warning"}),
    *(
        (f"Feedback-ID is {value}", letter(Feedback_ID=value), {"feedback-id": "warning"})
        for value in ("a:b:sender", "a:b:c:d:sender", "a:b:c:four", f"a:b:c:{'x' * 16}")
    ),
    (
        "Feedback-ID names a person",
        letter(Feedback_ID="ada@example.com:b:c:sender"),
        {"feedback-id": "warning"},
    ),
    ("Feedback-ID not signed", letter(signed=SIGNED[:-1]), {"feedback-id": "warning"}),
    ("no From", letter(From=None), {"from": "failure"}),
    (
        "two Froms",
        letter(From=["a@example.org", "b@example.org"], signed=("from", *SIGNED)),
        {"from": "failure"},
    ),
    ("two senders", letter(From="<a@example.org>, <b@example.org>"), {"from": "failure"}),
    ("From is a name", letter(From="Northwind"), {"from": "failure"}),
    ("From is MAIL_FROM", letter(From="Us <Service@Example.org>"), {"mail-from": "warning"}),
    ("not signed", letter(signed=None), {"dkim": "failure"}),
    (
        "List-Unsubscribe not signed",
        letter(signed=("from", "subject", "list-unsubscribe-post", "feedback-id")),
        {"dkim": "failure"},
    ),
    (
        "List-Unsubscribe-Post not signed",
        letter(signed=("from", "subject", "list-unsubscribe", "feedback-id")),
        {"dkim": "failure"},
    ),
    ("signed in part", letter(length=True), {"dkim": "warning"}),
    ("body altered", letter().replace(b"open again", b"shut again"), {"dkim": "failure"}),
    (
        "header altered",
        letter().replace(b"Subject: Weekly", b"Subject: Daily"),
        {"dkim": "failure"},
    ),
    ("another domain signs", letter(domain="esp.example"), {"alignment": "warning"}),
    ("no link in the text", letter(text="Hello."), {"body-link": "warning"}),
    ("no link in the HTML", letter(html="<p>Hello.</p>"), {"body-link": "warning"}),
    (
        "a tracked link in the HTML",
        letter(html=HTML.replace(LINK, "https://u1.ct.example.net/ls/click?upn=abc")),
        {"click-tracking": "warning"},
    ),
    (
        "a tracked link in the text",
        letter(text="Unsubscribe: https://x.awstrack.me/L0/https:%2F%2Fmail.example.org%2Fu"),
        {"click-tracking": "warning"},
    ),
    ("no text part", letter(text=None), {"text-part": "warning"}),
    ("an empty text part", letter(text=" \n"), {"text-part": "warning", "body-link": "warning"}),
    ("large HTML", letter(html=HTML + "<p>news</p>\n" * 9000), {"html-size": "warning"}),
    (
        "a malformed header",
        letter().replace(b"To: ada", b"To ada"),
        {"message": "warning", "dkim": "failure"},
    ),
    ("cut off", letter(signed=None)[:-8], {"message": "warning", "dkim": "failure"}),
]


def test_a_good_letter_passes_every_check() -> None:
    found = findings(letter())
    assert {each.level for each in found.values()} == {"pass"}
    assert set(found) == set(CHECKS) - NOT_PROBED
    assert message_report(letter()).report.button is True


@pytest.mark.parametrize(
    ("raw", "found"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_each_fault_causes_only_its_own_findings(raw: bytes, found: dict[str, str]) -> None:
    assert problems(raw) == found
    assert message_report(raw).report.button is ("failure" not in found.values())


def test_every_failure_and_warning_has_a_fix() -> None:
    found = [finding for _, raw, _ in BROKEN for finding in findings(raw).values()]
    assert all(finding.fix for finding in found if finding.level in {"warning", "failure"})


@pytest.mark.parametrize(
    "value",
    [
        f"{URL},\r\n {MAILTO}",
        f"\r\n {URL},\r\n\t{MAILTO}",
        f"{URL} (leave the list), {MAILTO}",
        f" {URL},{MAILTO} ",
    ],
)
def test_every_form_that_the_standards_allow_passes(value: str) -> None:
    assert problems(letter(List_Unsubscribe=value)) == {}


@pytest.mark.parametrize(("length", "found"), [(998, {}), (999, {"folding": "warning"})])
def test_a_line_may_have_998_octets(length: int, found: dict[str, str]) -> None:
    padding = length - len(f"List-Unsubscribe: {URL}, <mailto:@example.org>")
    raw = letter(List_Unsubscribe=f"{URL}, <mailto:{'a' * padding}@example.org>")
    assert problems(raw) == found


def test_the_places_of_test_links_are_named_also_without_a_key() -> None:
    raw = letter(
        List_Unsubscribe=f"<{TRIAL.unsubscribe_url}>",
        html=HTML.replace(LINK, TRIAL.unsubscribe_url),
    )
    found = findings(raw, UNCONFIGURED)["test-link"]
    assert found.message == "There is a test link in the header and the HTML: it changes nothing."


def test_a_topic_or_a_campaign_like_the_test_is_no_test_link() -> None:
    for given in (links(topic="test"), links(campaign="test-47"), links(campaign="a.test")):
        assert problems(letter(html=HTML.replace(LINK, given.unsubscribe_url))) == {}


def test_a_header_without_mailto_is_only_a_note() -> None:
    found = findings(letter(List_Unsubscribe=URL))
    assert found["mailto"].level == "note"
    assert problems(letter(List_Unsubscribe=URL)) == {}


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (f"{ELSEWHERE}%20x", "%"),
        (f"{ELSEWHERE},x", "a comma"),
        (f"{ELSEWHERE} x", "a space"),
        (f"{ELSEWHERE}?x", "a query"),
        (f"{ELSEWHERE}#x", "a fragment"),
    ],
)
def test_characters_that_clients_rewrite_are_named(url: str, named: str) -> None:
    raw = letter(List_Unsubscribe=f"<{url}>", html=HTML.replace(LINK, ELSEWHERE))
    assert problems(raw, UNCONFIGURED) == {"characters": "warning"}
    assert named in findings(raw, UNCONFIGURED)["characters"].message


def test_a_foreign_email_is_judged_without_keys_or_settings() -> None:
    raw = letter(List_Unsubscribe=f"<{ELSEWHERE}>", text=f"Unsubscribe: {ELSEWHERE}")
    assert problems(raw, UNCONFIGURED) == {}
    found = findings(raw, UNCONFIGURED)
    assert found["link"].level == "note"
    assert "mail-from" not in found


def test_a_foreign_link_in_our_email_is_a_warning() -> None:
    raw = letter(List_Unsubscribe=f"<{ELSEWHERE}>")
    assert problems(raw) == {"link": "warning"}


def test_our_link_is_recognized_by_its_form_without_a_key() -> None:
    link = findings(letter(), UNCONFIGURED)["link"]
    assert link.level == "note"
    assert "topic weekly-news" in link.message


def test_a_preferences_link_is_recognized_by_its_path_without_a_key() -> None:
    raw = letter(List_Unsubscribe=f"<{links().preferences_url}>")
    assert problems(raw, UNCONFIGURED) == {"link": "failure"}


def test_the_report_shows_a_links_topic_campaign_and_day() -> None:
    says = findings(letter())["link"].message
    assert says == "It is yours: topic weekly-news, campaign 2026-47, minted on 2026-11-22."


def test_our_link_on_another_host_is_a_warning() -> None:
    assert problems(letter(), replace(OURS, public_url="https://example.org")) == {
        "link": "warning"
    }


def test_an_invalid_link_under_our_url_is_a_failure() -> None:
    raw = letter(List_Unsubscribe="<https://mail.example.org/r/1.20779.x.1.2.sig>")
    assert problems(raw) == {"link": "failure"}


PROVIDERS_SEEN = [
    ("SendGrid", "<https://u1.ct.sendgrid.net/wf/unsubscribe>"),
    ("SendGrid", "<https://links.example.net/asm/unsubscribe/abc>"),
    ("Mailchimp", "<https://company.us6.list-manage.com/unsubscribe>"),
    ("Mailchimp Transactional (Mandrill)", f"<{ELSEWHERE}>, <mailto:unsubscribe-md_9@m.mcsv.net>"),
    ("Mailgun", "<https://email.example.net/u/eJwUy1EOgyAMANDT>"),
    (
        "Mailgun",
        f"<{ELSEWHERE}>, <mailto:u+{'na6tmy3ege4tgnldmyytqojqmfsdembyme3tmy3c'}@example.net>",
    ),
    ("SparkPost", f"<{ELSEWHERE}>, <mailto:unsubscribe@unsub.spmta.com>"),
    ("Amazon SES", f"<{ELSEWHERE}>, <mailto:x@unsubscribe.us-east-1.amazonses.com>"),
    ("Postmark", "<https://subscriptions.pstmrk.it/demo/unsubscribe>"),
    ("Brevo", "<https://6fbj4.r.bh.d.sendibt3.com/mk/un/T9KR>"),
    ("HubSpot", f"<{ELSEWHERE}>, <mailto:1ax@bf02.na2.hubspotemail.net>"),
    ("Klaviyo", "<https://manage.kmail-lists.com/subscriptions/unsubscribe>"),
]


@pytest.mark.parametrize(("name", "header"), PROVIDERS_SEEN)
def test_a_providers_own_header_is_named_with_a_fix(name: str, header: str) -> None:
    found = findings(letter(List_Unsubscribe=header), UNCONFIGURED)["provider"]
    assert found.level == "warning"
    assert f"{name}'s own" in found.message
    assert len(found.fix.split()) > 3


def test_topics_that_share_list_id_and_from_are_named() -> None:
    both = [
        message_report(letter()),
        message_report(letter(List_Unsubscribe=links("offers").list_unsubscribe)),
    ]
    (found,) = compare(both).findings
    assert (found.check, found.level) == ("topics-apart", "warning")
    assert found.message.startswith("offers and weekly-news share From (letters@example.org)")


def test_topics_with_their_own_from_or_list_id_are_apart() -> None:
    offers = links("offers").list_unsubscribe
    others = (
        letter(List_Unsubscribe=offers, List_Id="<offers.example.org>"),
        letter(List_Unsubscribe=offers, From="offers@example.org"),
    )
    for other in others:
        (found,) = compare([message_report(letter()), message_report(other)]).findings
        assert (found.check, found.level) == ("topics-apart", "pass")


def test_a_list_id_that_changes_within_a_topic_is_named() -> None:
    both = [message_report(letter()), message_report(letter(List_Id="<news-48.lists.example.org>"))]
    (found,) = compare(both).findings
    assert found.message.startswith("weekly-news has several List-Ids: news-48")


@pytest.mark.parametrize("count", [1, 2])
def test_letters_of_one_topic_are_not_compared(count: int) -> None:
    assert compare([message_report(letter())] * count).findings == []
