"""Workers that are killed or stopped, and mail servers that fail: no email is lost.

A worker that dies after it has sent an email, or that outlives its lease, sends it twice at most:
the Message-ID is the same.
"""

import os
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.support import make, postgres, processes, smtp, supervised

REPLIES = {
    "no answer": smtp.SILENCE,
    "dropped": smtp.DROP,
    "accepted, then dropped": smtp.KEEP_AND_DROP,
}
KINDS = ["SIGKILL", *REPLIES]
QUICK = [each for each in KINDS if each != "no answer"]  # A worker waits 20 seconds for an answer.
UNSENT = "SELECT 1 FROM outbox WHERE state <> 'sent'"
DUE = "UPDATE outbox SET due_at = now() WHERE state = 'started'"
# Emails that no worker is sending; the others have a lease.
RETRIED = f"{DUE} AND lease IS NULL"
WAITING = f"{UNSENT} AND lease IS NULL"
MAX_SECONDS = 120


def settings(url: str, server: smtp.Server) -> dict[str, str]:
    return make.environment(DATABASE_URL=url, SMTP_URL=server.url, MAIL_FROM="letters@example.org")


def add_notices(url: str, count: int, start: int = 0) -> None:
    """Add change notices of new people, due at once."""
    database, now = make.database(url), datetime.now(UTC)
    with database.transaction() as session:
        for number in range(start, start + count):
            make.subscriber(session, f"{number}@example.org")
            make.unsubscribe(session, f"{number}@example.org", at=now, notice_delay=timedelta(0))
    database.close()


def deliveries(server: smtp.Server) -> Counter[str]:
    """Return how often each email was accepted, by its Message-ID."""
    ids = (str(email.message["Message-ID"]).strip("<>") for email in server.emails)
    return Counter(each.partition("@")[0] for each in ids)


def test_a_worker_that_outlives_its_lease_settles_nothing(url: str) -> None:
    running: list[processes.Running] = []

    def suspend_first(_email: smtp.ReceivedEmail) -> None:
        if len(running) == 1:
            os.kill(running[0].process.pid, signal.SIGSTOP)

    with (
        smtp.server(on_email=suspend_first) as server,
        processes.working(settings(url, server)) as first,
    ):
        running.append(first)
        add_notices(url, 1)
        smtp.wait_for_email(server, 1)
        postgres.execute(url, DUE)  # as if five minutes had passed
        with processes.working(settings(url, server)) as second:
            running.append(second)
            processes.wait_for(lambda: not postgres.query(url, UNSENT), "the other worker")
        settled = postgres.query(url, "SELECT * FROM outbox")
        first.process.send_signal(signal.SIGCONT)
        assert first.stop() == 0
    assert list(deliveries(server).values()) == [2]
    assert postgres.query(url, "SELECT * FROM outbox") == settled


@pytest.mark.parametrize("kind", QUICK)
def test_a_failure_loses_no_email(url: str, kind: str) -> None:
    run_with_failures(url, [kind], 2)


@pytest.mark.faults
def test_failures_at_random_moments_lose_no_email(url: str, seconds: float) -> None:
    run_with_failures(url, KINDS, seconds)


def run_with_failures(url: str, kinds: list[str], seconds: float) -> None:
    """Send emails by two workers, break something again and again, and check each email."""
    end, added = time.monotonic() + seconds, 0
    with smtp.server() as server:
        environ = settings(url, server)
        with (
            supervised.started(environ, "worker") as one,
            supervised.started(environ, "worker") as two,
        ):
            failures = 0
            while not failures or time.monotonic() < end:
                add_notices(url, 30, added)
                added += 30
                time.sleep(random.uniform(0, 2))
                kind = random.choice(kinds)
                if kind == "SIGKILL":
                    random.choice([one, two]).kill()
                else:
                    fail_for_a_moment(server, kind)
                failures += 1
                postgres.execute(url, RETRIED)
            assert_delivered(url, server, added)


def fail_for_a_moment(server: smtp.Server, kind: str) -> None:
    """Let the mail server fail at a random step for a second."""
    reply = REPLIES[kind]
    steps = ["MESSAGE"] if reply == smtp.KEEP_AND_DROP else ["MAIL", "RCPT", "DATA", "MESSAGE"]
    server.replies = {random.choice(steps): reply}
    time.sleep(1)
    server.replies = {}


def assert_delivered(url: str, server: smtp.Server, count: int) -> None:
    """Wait until all emails are sent; fail unless each lease delivered its email once at most."""
    give_up = time.monotonic() + MAX_SECONDS
    while postgres.query(url, UNSENT):
        assert time.monotonic() < give_up, "emails that were not sent"
        time.sleep(1)
        # When no other email waits, expire the leases of workers that were killed.
        postgres.execute(url, RETRIED if postgres.query(url, WAITING) else DUE)
    delivered = deliveries(server)
    leases = dict(postgres.query(url, "SELECT message_id, attempts FROM outbox"))
    assert set(delivered) == set(leases)
    assert len(delivered) == count
    assert {each for each in delivered if delivered[each] > leases[each]} == set()
