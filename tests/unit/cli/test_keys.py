"""Commands refuse wrong keys by name before they do anything; `keys` rotates keys."""

import pytest

from preference_center.core import erasure, unacknowledged, webhooks
from preference_center.core.vocab import KeyKind, Source
from preference_center.store import Database, keys
from tests.support import make, processes
from tests.support.command import run, run_ok

OTHER = "another-key-for-tests-7gQ2mB5xK8wZ"
NAMES = {
    KeyKind.IDENTITY: "IDENTITY_KEY",
    KeyKind.SERVER: "SERVER_KEYS",
    KeyKind.LINK: "LINK_KEYS",
}
PEOPLE = b"email,status\r\nada@example.org,unsubscribed\r\n"
MAILING = ("--topic", "weekly-news", "--campaign", "47")
SUPPRESSIONS = ("suppressions", "remove", "--source", "bounce", "--domain", "example.org")
SMTP = {"SMTP_URL": "smtp://localhost", "MAIL_FROM": "a@example.org"}

# The keys that each command uses.
USES: dict[tuple[str, ...], set[KeyKind]] = {
    ("serve", "--port", "1"): set(KeyKind),
    ("upgrade",): set(KeyKind),
    ("worker",): {KeyKind.SERVER, KeyKind.LINK, KeyKind.IDENTITY},
    ("lmtp",): {KeyKind.SERVER, KeyKind.LINK},
    ("imap", "--once"): {KeyKind.SERVER, KeyKind.LINK},
    ("import", "-", "--topic", "weekly-news"): {KeyKind.IDENTITY, KeyKind.SERVER},
    ("audience", *MAILING): {KeyKind.IDENTITY, KeyKind.LINK},
    ("erase", "ada@example.org"): {KeyKind.IDENTITY, KeyKind.SERVER},
    ("verify-ledger",): {KeyKind.SERVER},
    ("export", "ledger"): set(),
    ("report",): set(),
    ("purge",): set(),
    ("topics", "list"): set(),
    ("quarantine", "list"): set(),
    ("inbound-stats",): set(),
    ("replay", "-"): {KeyKind.SERVER},
    (*SUPPRESSIONS, "--since", "2026-01-01"): {KeyKind.SERVER},
    ("keys", "list"): set(KeyKind),
    ("keys", "rotate"): set(KeyKind),
}
REFUSED = [(command, kind) for command, uses in USES.items() for kind in sorted(uses)]
IGNORED = [
    (command, kind)
    for command, uses in USES.items()
    for kind in KeyKind
    if kind not in uses and command[0] not in ("worker", "lmtp", "imap")  # these keep running
]


@pytest.fixture
def filled(database: Database, database_url: str) -> str:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news")
    return database_url


@pytest.mark.parametrize(("command", "kind"), REFUSED, ids=str)
def test_a_wrong_key_is_refused_by_name(
    filled: str, database: Database, command: tuple[str, ...], kind: KeyKind
) -> None:
    result = run(filled, *command, stdin=PEOPLE, **{**SMTP, NAMES[kind]: OTHER})
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: PREFERENCE_CENTER_{NAMES[kind]} ")
    assert OTHER not in result.output
    with database.reading() as session:
        assert make.events(session) == [("subscribed", "weekly-news")]


@pytest.mark.parametrize("value", [OTHER, ""])
@pytest.mark.parametrize(("command", "kind"), IGNORED, ids=str)
def test_a_key_that_a_command_does_not_use_may_be_wrong_or_missing(
    filled: str, command: tuple[str, ...], kind: KeyKind, value: str
) -> None:
    result = run(filled, *command, stdin=PEOPLE, **{NAMES[kind]: value})
    assert result.exit_code == (1 if command[0] == "replay" else 0), result.output


@pytest.mark.parametrize(("command", "kind"), REFUSED, ids=str)
def test_a_missing_key_that_a_command_uses_is_named(
    command: tuple[str, ...], kind: KeyKind
) -> None:
    result = run("sqlite:///no.db", *command, stdin=PEOPLE, **{NAMES[kind]: ""})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"PREFERENCE_CENTER_{NAMES[kind]} is missing.\n"


@pytest.mark.parametrize("kind", KeyKind)
def test_receive_defers_a_message_if_a_key_that_it_uses_is_wrong(
    filled: str, kind: KeyKind
) -> None:
    result = run(filled, "receive", stdin=b"Subject: x\n\nx", **{NAMES[kind]: OTHER})
    assert result.exit_code == (0 if kind is KeyKind.IDENTITY else 75)


def test_another_identity_key_never_allows_a_suppressed_subscriber(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        make.topic(session, "offers", policy="opt_out")
        make.unsubscribe(session, slug=None, source="complaint")
    settings = make.environment(DATABASE_URL=database_url, IDENTITY_KEY=OTHER)
    arguments = ("audience", "--topic", "offers", "--campaign", "47")
    result = processes.run(settings, *arguments, stdin=b"email\nada@example.org\n")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr == (
        b"Error: PREFERENCE_CENTER_IDENTITY_KEY is not the key this database was filled with\n"
    )


def test_upgrade_refuses_a_database_filled_with_another_key(filled: str) -> None:
    settings = make.environment(DATABASE_URL=filled, SERVER_KEYS=OTHER)
    result = processes.run(settings, "upgrade")
    assert result.returncode == 2
    assert b"PREFERENCE_CENTER_SERVER_KEYS" in result.stderr


def test_a_key_rotates_in_two_steps(filled: str, database: Database) -> None:
    both = {"SERVER_KEYS": f"{make.SERVER_KEY},{OTHER}", "LINK_KEYS": f"{make.LINK_KEY},{OTHER}x"}
    people = b"email\nada@example.org\n"
    before = run_ok(filled, "audience", *MAILING, stdin=people)
    assert run_ok(filled, "audience", *MAILING, stdin=people, **both) == before
    assert run_ok(filled, "keys", "rotate", **both) == (
        "PREFERENCE_CENTER_SERVER_KEYS: the newest key signs from now on.\n"
        "PREFERENCE_CENTER_LINK_KEYS: the newest key signs from now on.\n"
    )
    assert "already signs" in run_ok(filled, "keys", "rotate", **both)
    assert run_ok(filled, "audience", *MAILING, stdin=people, **both) != before
    newest = {"SERVER_KEYS": OTHER, "LINK_KEYS": f"{OTHER}x"}
    assert run_ok(filled, "audience", *MAILING, stdin=people, **newest) != before
    assert run_ok(filled, "audience", *MAILING, stdin=people) == before, (
        "a process with the old keys still works"
    )


def test_secrets_of_webhooks_outlive_the_key_that_was_replaced(
    filled: str, database: Database
) -> None:
    with database.transaction() as session:
        webhook, secret = webhooks.add(session, "https://example.org/", [], make.NOW)
    run_ok(filled, "keys", "rotate", SERVER_KEYS=f"{make.SERVER_KEY},{OTHER}")
    newest = make.database(filled, server_keys=(OTHER,))
    with newest.transaction() as session:
        row = webhooks.lock(session, webhook.id)
        assert webhooks.secrets_of(session, row, make.NOW) == [secret]
    newest.close()


def test_addresses_that_are_held_outlive_the_key_that_was_replaced(
    filled: str, database: Database
) -> None:
    with database.transaction() as session:
        webhooks.add(session, "https://example.org/", [], make.NOW)
        make.subscriber(session, "eve@example.org")
        erasure.erase(session, [make.id_of("eve@example.org")], Source.CLI, make.NOW)
    run_ok(filled, "keys", "rotate", SERVER_KEYS=f"{make.SERVER_KEY},{OTHER}")
    newest = make.database(filled, server_keys=(OTHER,))
    with newest.reading() as session:
        held = unacknowledged.find(session, make.id_of("eve@example.org"), make.NOW)
    assert held is not None
    assert held.email == "eve@example.org"
    newest.close()


def test_the_list_shows_the_state_of_each_key_but_not_the_key(filled: str) -> None:
    both = {"SERVER_KEYS": f"{make.SERVER_KEY},{OTHER}"}
    run_ok(filled, "keys", "rotate", **both)
    listed = run_ok(filled, "keys", "list", LINK_KEYS=f"{make.LINK_KEY},{OTHER}x")
    states = sorted((line.split()[0], line.rpartition("  ")[2]) for line in listed.splitlines())
    assert states == [
        ("identity", "signs"),
        ("link", "signs"),
        ("link", "verifies; run: preference-center keys rotate"),
        ("server", "not in these settings"),
        ("server", "signs"),
    ]
    assert keys.check_value(KeyKind.SERVER, OTHER).hex()[:8] in listed
    for key in (OTHER, make.SERVER_KEY, make.LINK_KEY, make.IDENTITY_KEY):
        assert key not in listed
