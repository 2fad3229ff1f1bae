"""Which keys may call the API, and what is recorded of their use."""

from datetime import timedelta

import pytest

from preference_center.core import api_keys
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.web.api.routes import PREFIX
from tests.support.api import Api, assert_problem, create_key
from tests.support.site import Site

TOPICS = f"{PREFIX}/topics"


def call(site: Site, authorization: str | None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = site.get(TOPICS, headers=headers)
    if answer.status_code == 401:
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    return answer.status_code


def test_a_key_with_the_scope_is_accepted(site: Site) -> None:
    key = create_key(site, ApiScope.TOPICS)
    assert call(site, f"Bearer {key}") == 200
    assert call(site, f"bearer  {key} ") == 200


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer x", "Bearer é"])
def test_a_request_without_a_key_is_refused(site: Site, header: str | None) -> None:
    assert call(site, header) == 401


def test_a_key_in_another_scheme_is_refused(site: Site) -> None:
    assert call(site, f"Basic {create_key(site)}") == 401


def test_a_wrong_checksum_is_refused_without_the_database(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = create_key(site)
    monkeypatch.setattr(api_keys, "find", None)
    assert call(site, f"Bearer {key[:-1]}{'0' if key[-1] != '0' else '1'}") == 401


def test_a_well_formed_key_that_is_not_on_record_is_refused(site: Site) -> None:
    create_key(site)
    assert call(site, f"Bearer {api_keys.new_text(ApiKeyKind.LIVE)}") == 401


def test_an_expired_key_is_refused(site: Site) -> None:
    key = create_key(site, expires_at=site.now + timedelta(hours=1))
    assert call(site, f"Bearer {key}") == 200
    site.now += timedelta(hours=1)
    assert call(site, f"Bearer {key}") == 401


def test_a_revoked_key_is_refused_at_once(site: Site) -> None:
    api = Api(site)
    assert api.get("/topics").status_code == 200
    with site.database.transaction() as session:
        api_keys.revoke(session, api.key[:12], site.now)
    answer = api.get("/topics")
    assert_problem(answer, 401, "unauthorized")
    assert answer.json["detail"] == "The key was revoked or expired."


def test_several_keys_are_valid_at_a_time(site: Site) -> None:
    for key in (create_key(site), create_key(site)):
        assert call(site, f"Bearer {key}") == 200


def test_a_key_without_the_scope_is_refused(site: Site) -> None:
    others = [each for each in ApiScope if each is not ApiScope.TOPICS]
    answer = Api(site, *others).get("/topics")
    assert_problem(answer, 403, "missing-scope")


def test_the_day_of_the_last_use_is_written_once(site: Site) -> None:
    api = Api(site)
    days = []
    for hours in (0, 1, 24):
        site.now += timedelta(hours=hours)
        api.get("/topics")
        with site.database.reading() as session:
            (key,) = api_keys.list_all(session)
            days.append(key.last_used_on)
    assert days == [(site.now - timedelta(days=1)).date()] * 2 + [site.now.date()]


def test_a_use_on_the_same_day_writes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(site)
    api.get("/topics")
    monkeypatch.setattr(api_keys, "was_used", None)
    assert api.get("/topics").status_code == 200


def test_a_refused_request_is_no_use(site: Site) -> None:
    Api(site, ApiScope.LINKS).get("/topics")
    with site.database.reading() as session:
        assert api_keys.list_all(session)[0].last_used_on is None
