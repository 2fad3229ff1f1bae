"""What a worker without a mail server says about emails that wait."""

from datetime import timedelta

import pytest

from preference_center.outbound.unsent import MAX_LATE, Unsent
from preference_center.store import Database
from tests.support import make


@pytest.mark.parametrize(("wait", "warns"), [(timedelta(0), False), (MAX_LATE, True)])
def test_emails_that_wait_for_a_minute_are_counted_without_an_address(
    database: Database, caplog: pytest.LogCaptureFixture, wait: timedelta, warns: bool
) -> None:
    with database.transaction() as session:
        for email in ("ada@example.org", "bob@example.org"):
            make.subscriber(session, email)
            make.unsubscribe(session, email, notice_delay=timedelta(0))
    Unsent(database, lambda: make.NOW + wait).warn()
    expected = "SMTP_URL is missing: 2, the first since 2026-11-22T14:05:00+00:00"
    assert (expected in caplog.text) is warns
    assert "example.org" not in caplog.text


def test_an_empty_outbox_causes_no_warning(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    Unsent(database, lambda: make.NOW + timedelta(days=1)).warn()
    assert caplog.text == ""
