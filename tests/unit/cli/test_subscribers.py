"""`erase` and `verify-ledger`."""

from sqlalchemy import delete, update

from preference_center.core import subscribers, webhooks
from preference_center.links.addresses import fingerprint
from preference_center.store import Database
from preference_center.store.tables import LedgerRow
from tests.support import make
from tests.support.command import run, run_ok


def add_unsubscribed(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)


def test_erase_accepts_an_address_in_any_spelling(database: Database, database_url: str) -> None:
    add_unsubscribed(database)
    assert run_ok(database_url, "erase", " Ada@Example.ORG ") == "Erased.\n"
    with database.reading() as session:
        found = subscribers.find(session, make.id_of())
        assert found is not None
        assert found.email is None
        assert "all" in found.suppressions


def test_erasing_an_unclean_address_also_erases_the_cleaned_one(
    database: Database, database_url: str
) -> None:
    unclean = "Ada <ada@example.org>"
    with database.transaction() as session:
        make.subscriber(session)
        person = fingerprint(unclean, make.IDENTITY_KEY)
        subscribers.upsert_addresses(session, {person: ""}, make.NOW)
    assert run_ok(database_url, "erase", unclean) == "Erased.\n"
    with database.reading() as session:
        for each in (make.id_of(), fingerprint(unclean, make.IDENTITY_KEY)):
            found = subscribers.find(session, each)
            assert found is not None
            assert found.erased_at is not None


def test_erasing_an_unknown_address_suppresses_it_and_says_so(
    database: Database, database_url: str
) -> None:
    output = run_ok(database_url, "erase", "ada@example.org")
    assert output.startswith("This address or id was not on record")
    with database.reading() as session:
        found = subscribers.find(session, make.id_of())
        assert found is not None
        assert "all" in found.suppressions


def test_erase_refuses_more_than_one_address(database_url: str) -> None:
    result = run(database_url, "erase", "ada@example.org, ben@example.org")
    assert result.exit_code == 2
    assert "more than one address" in result.stderr


def test_a_repeated_erasure_by_id_is_reported(database: Database, database_url: str) -> None:
    add_unsubscribed(database)
    run_ok(database_url, "erase", "ada@example.org")
    again = run_ok(database_url, "erase", str(make.id_of()))
    assert again == "This subscriber was erased before.\n"


def test_erase_refuses_anything_but_an_address_or_an_id(database_url: str) -> None:
    result = run(database_url, "erase", "ada")
    assert result.exit_code == 2
    assert "neither an address nor a subscriber id" in result.stderr


def test_erase_says_that_the_address_is_held(database: Database, database_url: str) -> None:
    add_unsubscribed(database)
    with database.transaction() as session:
        webhooks.add(session, "https://hooks.example.org/", [], make.NOW)
    output = run_ok(database_url, "erase", "ada@example.org")
    assert output == (
        "Erased.\n"
        "The address is held, encrypted, until all webhooks and readers of the feed have "
        "acknowledged it, for 7 days at most.\n"
    )
    assert "held" not in run_ok(database_url, "erase", "eve@example.org")


def test_an_erased_subscriber_stays_suppressed_after_an_import(database_url: str) -> None:
    people = "email,topic,status\nada@example.org,weekly-news,subscribed\n"
    run_ok(database_url, "import", "-", "--create-topics", stdin=people)
    run_ok(database_url, "erase", "ada@example.org")
    run_ok(database_url, "import", "-", stdin=people)
    check = ("audience", "--topic", "weekly-news", "--campaign", "47")
    assert "deny,erased" in run_ok(database_url, *check, stdin="email\nada@example.org\n")


def test_an_intact_ledger_is_verified(database: Database, database_url: str) -> None:
    add_unsubscribed(database)
    assert run_ok(database_url, "verify-ledger") == "1 subscribers checked, 0 broken.\n"


def test_an_altered_row_is_found(database: Database, database_url: str) -> None:
    add_unsubscribed(database)
    with database.transaction() as session:
        session.execute(update(LedgerRow).where(LedgerRow.seq == 2).values(source="complaint"))
    result = run(database_url, "verify-ledger")
    assert result.exit_code == 1
    assert f"{make.id_of()}: row 2 was altered" in result.stderr
    assert result.stdout == "1 subscribers checked, 1 broken.\n"


def test_a_missing_last_row_is_found(database: Database, database_url: str) -> None:
    add_unsubscribed(database)
    with database.transaction() as session:
        session.execute(delete(LedgerRow).where(LedgerRow.seq == 2))
    result = run(database_url, "verify-ledger")
    assert result.exit_code == 1
    assert "it ends at row 1, but 2 were written" in result.stderr
