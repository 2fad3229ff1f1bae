"""`api-keys create`, `list` and `revoke`."""

from datetime import timedelta

import pytest

from preference_center.core import api_keys
from preference_center.core.api_keys import ApiKey
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.store import Database
from preference_center.util.clock import utc_now
from tests.support.command import run, run_ok

DAY = timedelta(days=1)


def create(database_url: str, *options: str) -> str:
    return run_ok(database_url, "api-keys", "create", "shop", "--scope", "links", *options).strip()


def keys(database: Database) -> list[ApiKey]:
    with database.reading() as session:
        return api_keys.list_all(session)


def test_the_key_alone_is_on_standard_output(database: Database, database_url: str) -> None:
    result = run(
        database_url, "api-keys", "create", " shop ", "--scope", "links", "--scope", "audience"
    )
    text = result.stdout.removesuffix("\n")
    assert result.exit_code == 0
    assert api_keys.is_well_formed(text)
    assert text not in result.stderr
    (key,) = keys(database)
    assert (key.name, key.kind, key.expires_at) == ("shop", "live", None)
    assert key.scopes == {ApiScope.LINKS, ApiScope.AUDIENCE}
    with database.reading() as session:
        assert api_keys.find(session, text, utc_now()) == key


def test_a_test_key_can_be_created_with_an_expiry(database: Database, database_url: str) -> None:
    until = (utc_now() + DAY).replace(microsecond=0)
    assert create(database_url, "--test", "--expires", until.isoformat()).startswith("pc_test_")
    (key,) = keys(database)
    assert (key.kind, key.expires_at) == (ApiKeyKind.TEST, until)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shop"], "--scope"),
        (["shop", "--scope", "everything"], "everything"),
        ([" ", "--scope", "links"], "NAME"),
        (["a\nb", "--scope", "links"], "NAME"),
        (["x" * 101, "--scope", "links"], "NAME"),
        (["shop", "--scope", "links", "--expires", "2020-01-01"], "past"),
    ],
    ids=["no-scope", "unknown-scope", "blank", "line-break", "long", "expired"],
)
def test_a_key_that_cannot_be_created_is_refused(
    database: Database, database_url: str, arguments: list[str], message: str
) -> None:
    result = run(database_url, "api-keys", "create", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert keys(database) == []


def test_the_list_shows_the_state_of_each_key_and_no_secret(
    database: Database, database_url: str
) -> None:
    now = utc_now()
    texts = [create(database_url) for _ in range(3)]
    with database.transaction() as session:
        revoked, used, _ = (api_keys.find(session, each, now) for each in texts)
        assert revoked is not None
        assert used is not None
        api_keys.revoke(session, str(revoked.id), now)
        api_keys.was_used(session, used, now)
        scopes = [ApiScope.LINKS]
        api_keys.create(session, "old", ApiKeyKind.LIVE, scopes, now - 2 * DAY, now - DAY)
    output = run_ok(database_url, "api-keys", "list")
    for state in (f"revoked {now:%Y-%m-%d}", f"used {now:%Y-%m-%d}", "never used", "expired"):
        assert output.count(state) == 1
    assert output.count("shop  (links)") == 3
    assert not any(text[12:] in output for text in texts)


def test_an_empty_list_says_how_to_create_a_key(database_url: str) -> None:
    assert "api-keys create" in run_ok(database_url, "api-keys", "list")


@pytest.mark.parametrize("end", ["", "…"])
def test_a_key_is_revoked_by_its_visible_beginning(
    database: Database, database_url: str, end: str
) -> None:
    first, second = create(database_url), create(database_url)
    output = run_ok(database_url, "api-keys", "revoke", first[:12] + end)
    assert output == f"Revoked {first[:12]}… of shop.\n"
    with database.reading() as session:
        assert api_keys.find(session, first, utc_now()) is None
        assert api_keys.find(session, second, utc_now()) is not None


def test_an_unknown_beginning_is_refused(database: Database, database_url: str) -> None:
    text = create(database_url)
    for prefix in ("pc_live_", text[:11], text):
        assert run(database_url, "api-keys", "revoke", prefix).exit_code == 2
    assert [each.revoked_at for each in keys(database)] == [None]
