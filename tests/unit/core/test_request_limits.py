"""The limits on emails that anyone can request: which addresses count as one mailbox."""

from datetime import timedelta
from uuid import uuid4

import pytest

from preference_center.core import request_limits
from preference_center.store import Database
from tests.support import make


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("ada@example.org", "Ada@Example.ORG", True),
        ("ada@example.org", "a.d.a@example.org", True),
        ("ada@example.org", "ada+news@example.org", True),
        ("ada@example.org", "A.da+x+y.z@example.org", True),
        ("ada@b\u00fccher.example", "ada+1@xn--bcher-kva.example", True),
        ("zo\u00eb@example.org", "zoe\u0308@example.org", True),
        ("ada@gmail.com", "a.da+x@googlemail.com", True),
        ("ada@example.org", "ada@example.com", False),
        ("ada@example.org", "\u0430da@example.org", False),  # a Cyrillic letter
        ("+1@example.org", "+2@example.org", False),  # There is nothing before the plus sign.
        ("ada", "ada@", False),
    ],
)
def test_variants_of_an_address_count_as_one_mailbox(one: str, other: str, is_same: bool) -> None:
    found = {request_limits.mailbox_of(each, make.IDENTITY_KEY) for each in (one, other)}
    assert len(found) == (1 if is_same else 2)


def test_three_emails_are_counted_within_any_day(database: Database) -> None:
    mailbox, taken = uuid4(), []
    for hour in (0, 10, 20, 23, 24, 33, 34, 43, 44, 45):
        with database.transaction() as session:
            at = make.NOW + timedelta(hours=hour)
            if request_limits.take(session, mailbox, at):
                taken.append(hour)
    assert taken == [0, 10, 20, 24, 34, 44]
