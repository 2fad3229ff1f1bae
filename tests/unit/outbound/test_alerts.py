"""A warning by email, once a day, about a program that does not fetch unsubscribes."""

from datetime import timedelta
from email.message import EmailMessage
from threading import Event

import pytest

from preference_center.core import (
    api_keys,
    consumers,
    erasure,
    feed,
    request_limits,
    webhooks,
)
from preference_center.core import missed_erasures as core_missed
from preference_center.core.api_vocab import ApiKeyKind, ApiScope, WebhookState
from preference_center.core.consumers import Progress
from preference_center.core.unacknowledged import HELD_FOR
from preference_center.core.vocab import Source
from preference_center.outbound import alerts
from preference_center.outbound.alerts import Alerts
from preference_center.outbound.erasures import Erasures
from preference_center.outbound.transport import TemporaryError
from preference_center.store import Database
from tests.support import make
from tests.support.mailer import Mailer

HOUR = timedelta(hours=1)


@pytest.fixture
def mailer(database: Database) -> Mailer:
    """Return a mailer, on a database with a program that has not fetched an unsubscribe."""
    with database.transaction() as session:
        make.unsubscribe(session)
        feed.number(session, make.NOW)
        key, _ = api_keys.create(session, "crm", ApiKeyKind.LIVE, [ApiScope.EVENTS], make.NOW)
        consumers.note_progress(session, key.id, Progress(0, 0), make.NOW)
    return Mailer(database, settings=make.settings(alerts_to="staff@example.org"))


def warned(mailer: Mailer, hours: float) -> list[EmailMessage]:
    """Look for reasons to warn after some hours, and return all warnings so far."""
    now = make.NOW + hours * HOUR
    Alerts(mailer.database, mailer, mailer.settings, lambda: now).warn()
    return mailer.sent


def test_a_warning_is_sent_after_24_hours_and_then_daily(mailer: Mailer) -> None:
    counts = [len(warned(mailer, hours)) for hours in (23.9, 24, 25, 47.9, 48, 49)]
    assert counts == [0, 1, 1, 1, 2, 2]


def test_a_warning_names_the_key_and_the_time(mailer: Mailer) -> None:
    (message,) = warned(mailer, 30)
    assert message["To"] == "staff@example.org"
    assert message["From"] == "Northwind Letters <letters@example.org>"
    assert message["Subject"] == "Northwind Letters: Unsubscribes are not fetched"
    text = message.get_content()
    assert 'the API key "crm" (pc_live_' in text
    assert "2026-11-22 14:05 UTC" in text


def test_what_was_fetched_causes_no_warning(mailer: Mailer) -> None:
    with mailer.database.transaction() as session:
        (key,) = consumers.list_all(session, make.NOW)
        consumers.note_progress(session, key.id, Progress(0, 1), make.NOW)
    assert warned(mailer, 30) == []


def test_fetching_again_does_not_repeat_a_warning(mailer: Mailer) -> None:
    assert len(warned(mailer, 30)) == 1
    with mailer.database.transaction() as session:
        (key,) = consumers.list_all(session, make.NOW)
        consumers.note_progress(session, key.id, Progress(0, 0), make.NOW)
    assert len(warned(mailer, 31)) == 1


def test_a_warning_that_is_refused_comes_again_in_a_day(mailer: Mailer) -> None:
    mailer.refusal = TemporaryError("full")
    assert warned(mailer, 30) == []
    mailer.refusal = None
    assert warned(mailer, 31) == []
    assert len(warned(mailer, 54)) == 1


def test_an_error_does_not_end_it(mailer: Mailer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preference_center.outbound.alerts._POLL_SECONDS", 0)
    mailer.refusal, stop = ValueError("a bug"), Event()
    calls = []

    def clock() -> object:
        calls.append(1)
        if len(calls) > 5:
            stop.set()
        return make.NOW + 30 * HOUR

    Alerts(mailer.database, mailer, mailer.settings, clock).run(stop)  # type: ignore[arg-type]
    assert mailer.tries == 1


def test_a_webhook_that_is_not_active_causes_a_warning_each_day(database: Database) -> None:
    mailer = Mailer(database, settings=make.settings(alerts_to="staff@example.org"))
    with database.transaction() as session:
        webhook, _ = webhooks.add(session, "https://hooks.example.org/?token=7", [], make.NOW)
    assert warned(mailer, 100) == []
    with database.transaction() as session:
        row = webhooks.lock(session, webhook.id)
        row.state, row.last_result = WebhookState.PAUSED, "status 500"
    assert [len(warned(mailer, hours)) for hours in (101, 102, 125)] == [1, 1, 2]
    message = mailer.sent[0]
    assert message["Subject"] == "Northwind Letters: A webhook does not accept events"
    text = message.get_content()
    assert f"{webhook.id} of https://mail.example.org to hooks.example.org\nis paused" in text
    assert "status 500" in text
    assert "token" not in text


def test_an_unsubscribe_that_a_webhook_has_not_accepted_causes_a_warning(
    database: Database,
) -> None:
    mailer = Mailer(database, settings=make.settings(alerts_to="staff@example.org"))
    with database.transaction() as session:
        webhook, _ = webhooks.add(session, "https://hooks.example.org/", [], make.NOW)
        make.unsubscribe(session)
        feed.number(session, make.NOW)
    assert [len(warned(mailer, hours)) for hours in (23.9, 24, 25)] == [0, 1, 1]
    with database.transaction() as session:
        webhooks.lock(session, webhook.id).position = feed.last_position(session)
    assert len(warned(mailer, 60)) == 1


def test_staff_are_told_once_a_day_that_sign_ups_wait(database: Database) -> None:
    mailer = Mailer(database, settings=make.settings(alerts_to="staff@example.org"))
    with database.transaction() as session:
        taken = [
            request_limits.take_hourly(session, make.NOW, 2, is_postponed=False) for _ in range(5)
        ]
    assert taken == [True, True, False, False, False]
    assert [len(warned(mailer, hours)) for hours in (0, 1, 23)] == [1, 1, 1]
    (message,) = mailer.sent
    assert message["Subject"] == "Northwind Letters: Many unknown people sign up"
    assert message.get_content().startswith("3 emails of sign-ups had to wait within the last day,")
    with database.transaction() as session:
        assert not request_limits.take_hourly(session, make.NOW + 24 * HOUR, 0, is_postponed=False)
    assert len(warned(mailer, 24.5)) == 2


def test_a_usual_number_of_sign_ups_causes_no_warning(database: Database) -> None:
    mailer = Mailer(database, settings=make.settings(alerts_to="staff@example.org"))
    with database.transaction() as session:
        assert request_limits.take_hourly(session, make.NOW, 2, is_postponed=False)
    assert warned(mailer, 1) == []


def missed_erasures(mailer: Mailer, hours: float) -> list[str]:
    """Return the texts of all warnings of missed erasures, after looking for more."""
    found = warned(mailer, hours)
    return [str(each.get_content()) for each in found if "Erasures" in each["Subject"]]


def erase_unnoticed(mailer: Mailer, *emails: str, hours: float = 0) -> None:
    """Erase people, and let the consumers miss it."""
    at = make.NOW + hours * HOUR
    with mailer.database.transaction() as session:
        erasure.erase(session, map(make.id_of, emails), Source.CLI, at)
    Erasures(mailer.database, lambda: at + HELD_FOR).settle()


def test_missed_erasures_cause_one_warning_a_day(mailer: Mailer) -> None:
    with mailer.database.transaction() as session:
        webhooks.add(session, "https://hooks.example.org/?token=7", [], make.NOW)
    erase_unnoticed(mailer, "ada@example.org", "bob@example.org")
    (text,) = missed_erasures(mailer, 7 * 24)
    assert "(crm): 2\n" in text
    assert "(hooks.example.org): 2\n" in text
    assert "token" not in text
    assert "ada" not in text
    erase_unnoticed(mailer, "eve@example.org", hours=1)
    assert len(missed_erasures(mailer, 7 * 24 + 23.9)) == 1
    (_, text) = missed_erasures(mailer, 8 * 24)
    assert "(crm): 1\n" in text
    assert len(missed_erasures(mailer, 10 * 24)) == 2


def test_many_missed_erasures_are_in_one_warning(
    mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (alerts, core_missed):
        monkeypatch.setattr(module, "BATCH_SIZE", 2)
    erase_unnoticed(mailer, *(f"person-{number}@example.org" for number in range(5)))
    (text,) = missed_erasures(mailer, 7 * 24)
    assert "(crm): 5\n" in text
