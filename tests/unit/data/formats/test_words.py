"""Words for true, false and nothing, and columns of which each other text is a stop."""

from typing import Any

import pytest

from preference_center.core.vocab import ImportStatus
from tests.support.foreign_files import Outcome, csv_of
from tests.support.foreign_samples import SAMPLES

FLAGS = {
    "ghost": ("email_disabled", {"subscribed_to_emails": "true"}),
    "substack": ("email_disabled", {}),
    "brevo": ("_BLOCKLISTED", {}),
    "hubspot": ("Unsubscribed from all email", {}),
    "ses": ("unsubscribeAll", {}),
}


def read_flag(source: str, text: str, **options: Any) -> Outcome:
    column, more = FLAGS[source]
    sample = next(each for each in SAMPLES if each.source == source)
    header = tuple(dict.fromkeys((*sample.header, column)))
    row = {sample.email: "p@example.org", column: text, **more}
    options = {"topic": "weekly-news", "status": ImportStatus.SUBSCRIBED, **options}
    return Outcome(csv_of(header, [row]), source=source, **options)


@pytest.mark.parametrize("source", FLAGS)
def test_any_text_that_is_not_false_is_an_opt_out(source: str) -> None:
    for text in ("TRUE", "WAHR", "vrai", "Sí", "✓", "Opted out", "#N/A", "x", "?", "2024-01-02"):
        assert read_flag(source, text).stopped == {"p@example.org"}, text


@pytest.mark.parametrize("source", FLAGS)
def test_false_and_nothing_are_no_opt_out_in_any_language(source: str) -> None:
    texts = (
        "",
        "FALSCH",
        "Faux",
        "falso",
        "Nein",
        "non",
        "N/A",
        "(No value)",
        "0.0",
        "-",
        "–",
        "no",
    )
    for text in texts:
        outcome = read_flag(source, text)
        assert not outcome.stopped, text
        assert (outcome.unknown, outcome.subscribed) == (set(), {"p@example.org"}), text


@pytest.mark.parametrize(("text", "said"), [("WAHR", "subscribed"), ("Falsch", "all")])
def test_ghost_is_read_in_any_language(text: str, said: str) -> None:
    content = csv_of(
        ("email", "subscribed_to_emails"),
        [{"email": "p@example.org", "subscribed_to_emails": text}],
    )
    (found,) = Outcome(content, topic="weekly-news").said
    assert found.startswith(f"p@example.org {said} ")


def test_a_tick_in_a_column_of_times_is_a_stop() -> None:
    content = "email,status,tier,created_at,unsubscribed_at\np@example.org,active,free,,✓\n"
    assert Outcome(content, source="beehiiv", topic="weekly-news").stopped == {"p@example.org"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hard Bounce", "bounced"),
        ("['Spam Complaint']", "complained"),
        ("HARD_BOUNCE, Spam Complaint", "bounced"),
        ("Hard bounced", "bounced"),
        ("Spam", "complained"),
    ],
)
def test_words_of_a_list_may_have_spaces(text: str, said: str) -> None:
    header = ("Email", "Klaviyo ID", "Email Suppressions")
    content = csv_of(header, [{"Email": "p@example.org", "Email Suppressions": text}])
    outcome = Outcome(content)
    assert outcome.said[0] == f"p@example.org {said} *"
    assert outcome.unknown == set()
