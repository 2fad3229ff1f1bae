"""The option `--status` and what a row of another system's file says."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preference_center.core.vocab import ImportStatus
from tests.support.foreign_files import Outcome, csv_of
from tests.support.foreign_samples import SAMPLES

ENDING = [each for each in ImportStatus if each.ends_consent]
IDS = [f"{sample.source}-{sample.name}" for sample in SAMPLES]


def read_all(sample: Any, **options: Any) -> tuple[Outcome, set[str]]:
    """Return what all rows of a sample say with these options, and their addresses."""
    rows = [{**row, sample.email: f"p{n}@example.org"} for n, (row, _) in enumerate(sample.rows)]
    content = csv_of(sample.header, rows)
    outcome = Outcome(content, sample.name, sample.source, **{**sample.options, **options})
    return outcome, {row[sample.email] for row in rows}


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_a_status_that_ends_consent_stops_every_row(sample: Any) -> None:
    for status, topic in product(ENDING, (None, "weekly-news")):
        outcome, everyone = read_all(sample, topic=topic, status=status)
        assert outcome.stopped == everyone
        assert not outcome.subscribed


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_unconfirmed_subscribes_nobody(sample: Any) -> None:
    status = ImportStatus.UNCONFIRMED
    for topic in (None, "weekly-news"):
        outcome, _ = read_all(sample, topic=topic, status=status)
        assert not outcome.subscribed


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SAMPLES), st.sampled_from(ENDING), st.data())
def test_no_words_are_stronger_than_a_status_that_ends_consent(
    sample: Any, status: ImportStatus, data: st.DataObject
) -> None:
    words = st.sampled_from(["", "SUBSCRIBED", "active", "OPT_IN", "true", "email_marketing", "✓"])
    row = {name: data.draw(words) for name in sample.header} | {sample.email: "p@example.org"}
    content = csv_of(sample.header, [row])
    options = {**sample.options, "topic": "weekly-news", "status": status}
    outcome = Outcome(content, sample.name, sample.source, **options)
    assert outcome.stopped == {"p@example.org"}
    assert not outcome.subscribed


def test_a_bounce_of_the_option_is_added_to_an_unsubscribe_from_one_topic() -> None:
    content = "email,group_id,group_name,created_at\np@example.org,7,,\n"
    options: Any = {"topics": {"7": "weekly-news"}, "status": ImportStatus.BOUNCED}
    said = Outcome(content, source="sendgrid", **options).said
    assert said == ["p@example.org bounced *", "p@example.org unsubscribed weekly-news"]
