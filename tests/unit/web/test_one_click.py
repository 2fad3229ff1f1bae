"""RFC 8058: a POST to the URL of the header unsubscribes, with any client and body (M4 to M10)."""

import logging
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from preference_center.core import erasure, subscribers, topics
from preference_center.core.vocab import KeyKind, Scope, Source
from preference_center.links.minter import write_link
from preference_center.store import keys
from tests.support import make
from tests.support import site as site_module
from tests.support.event_loop import create_served_app
from tests.support.site import Site, link, lose_database, use_database
from tests.support.web_fixtures import SiteMaker

FORM = "application/x-www-form-urlencoded"
RFC = b"List-Unsubscribe=One-Click"
BOUNDARY = "multipart/form-data; boundary=x"
PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
)

# The content type, body and other headers that each client sends (M10).
CLIENTS: dict[str, tuple[str | None, bytes, dict[str, str]]] = {
    "Gmail": (FORM, RFC, {"Content-Length": "26"}),
    "Nextcloud Mail": (FORM, RFC, {"User-Agent": "Nextcloud-Server-Crawler/31.0.0"}),
    "FairEmail": (FORM, RFC, {"User-Agent": "Mozilla/5.0"}),
    "Mailspring": (FORM, RFC, {"Sec-Fetch-Mode": "cors", "Origin": "null"}),
    "Amunak's add-on": (FORM, RFC, {"Origin": "moz-extension://0a1b"}),
    "Tuta for Android": (None, RFC, {}),
    "Tuta for iOS": ("text/plain", RFC, {}),
    "Wino": (f"{FORM}; charset=utf-8", RFC, {}),
    "Proton": (FORM, RFC, {"User-Agent": ""}),
    "the RFC's own example": (BOUNDARY, PARTS, {}),
}
BODIES: dict[str, tuple[str | None, bytes]] = {
    "empty": (None, b""),
    "an empty form": (FORM, b""),
    "JSON": ("application/json", b'{"List-Unsubscribe":"One-Click"}'),
    "JSON that is not an object": ("application/json", b"[1]"),
    "truncated JSON": ("application/json", b"{"),
    "an invalid multipart": (BOUNDARY, b"--y\r\n\r\n\xff"),
    "a multipart without a boundary": ("multipart/form-data", PARTS),
    "garbage": ("\xff/;;=", bytes(range(256)) * 16),
    "another charset": (f"{FORM}; charset=utf-7", b"+AGE-=\xff"),
    "a thousand fields": (FORM, b"a&" * 2048),
}


@pytest.fixture(params=["thread", "event loop"], autouse=True)
def _answered_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer by the view in a thread, and as `serve` does."""
    if request.param == "event loop":
        monkeypatch.setattr(site_module, "create_app", create_served_app)


def send(
    site: Site, path: str, body: bytes = RFC, content_type: str | None = FORM, **more: Any
) -> Any:
    return site.post(path, data=body, content_type=content_type, **more)


def send_chunked(site: Site, path: str, body: bytes) -> Any:
    """Post a body without a length, as the server passes on a chunked one."""
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return site.post(path, input_stream=BytesIO(body), environ_overrides=chunked)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_known_client_is_understood(site: Site, client: str) -> None:
    content_type, body, headers = CLIENTS[client]
    answer = send(site, link(), body, content_type, headers=headers)
    assert answer.status_code == 200
    assert answer.text == "You are unsubscribed.\n"
    assert site.unsubscribed() == ["weekly-news"]


def test_a_chunked_body_is_understood(site: Site) -> None:
    assert send_chunked(site, link(), RFC).status_code == 200
    assert site.unsubscribed() == ["weekly-news"]


@pytest.mark.parametrize("body", BODIES)
def test_a_valid_link_unsubscribes_with_any_body(site: Site, body: str) -> None:
    content_type, content = BODIES[body]
    assert send(site, link(), content, content_type).status_code == 200
    assert site.unsubscribed() == ["weekly-news"]


def test_four_kilobytes_are_accepted_and_one_more_byte_is_refused(site: Site) -> None:
    assert send(site, link(), b"x" * 4097).status_code == 413
    assert send_chunked(site, link(), b"x" * 4097).status_code == 413
    assert send_chunked(site, link(), b"x" * 100_000).status_code == 413
    assert site.unsubscribed() == []
    assert send_chunked(site, link(), b"x" * 4096).status_code == 200
    assert send(site, link(), b"x" * 4096).status_code == 200


def test_the_answer_has_no_cookie_and_no_redirect(site: Site) -> None:
    for path in (link(), link()[:-1]):
        answer = send(site, path)
        assert answer.status_code in {200, 400}
        assert not {"Set-Cookie", "Location", "WWW-Authenticate", "Refresh"} & set(
            answer.headers.keys()
        )
        assert answer.mimetype == "text/plain"


def test_cookies_and_passwords_are_ignored(site: Site) -> None:
    headers = {"Cookie": "session=x; \xff", "Authorization": "Basic !!", "X-CSRFToken": "x"}
    assert send(site, link(), headers=headers).status_code == 200
    assert site.unsubscribed() == ["weekly-news"]


@pytest.mark.parametrize("query", ["?", "?a=b", "?lang=ar-XB", "?%ff=%00", "?x=" + "y" * 4000])
def test_an_added_query_string_is_ignored(site: Site, query: str) -> None:
    assert send(site, link() + query).status_code == 200
    assert site.unsubscribed() == ["weekly-news"]


def test_a_repeat_keeps_the_first_time_and_writes_nothing(site: Site) -> None:
    send(site, link())
    before = site.rows()
    site.now += timedelta(days=3)
    assert send(site, link()).status_code == 200
    assert site.rows() == before
    assert len(before["outbox"]) == 1


def test_a_repeat_from_another_campaign_keeps_the_first_time(site: Site) -> None:
    send(site, link())
    before = site.rows()
    site.now += timedelta(days=3)
    assert send(site, link(campaign="2026-48")).status_code == 200
    after = site.rows()
    assert (after["ledger"], after["outbox"]) == (before["ledger"], before["outbox"])
    assert [row[:6] for row in after["subscriptions"]] == [
        row[:6] for row in before["subscriptions"]
    ]


def test_the_ledger_records_the_source_and_the_campaign(site: Site) -> None:
    send(site, link())
    (row,) = [row for row in site.rows()["ledger"] if "unsubscribed" in row]
    assert {"one-click", "2026-47", "weekly-news"} <= set(map(str, row))


def test_unsubscribing_from_one_topic_keeps_the_others(site: Site) -> None:
    send(site, link())
    with site.database.reading() as session:
        ada = subscribers.find(session, make.id_of())
        assert ada is not None
        assert {slug: each.status for slug, each in ada.subscriptions.items()} == {
            "weekly-news": "unsubscribed",
            "product-news": "subscribed",
        }
        assert ada.suppressions == {}


def test_one_click_can_be_set_to_unsubscribe_from_all_topics(site_with: SiteMaker) -> None:
    site = site_with(one_click_scope=Scope.ALL)
    site.subscribe()
    assert send(site, link()).status_code == 200
    assert site.unsubscribed() == ["all"]
    assert send(site, link(topic="product-news")).status_code == 200
    assert site.unsubscribed() == ["all"]


def test_an_unknown_recipient_is_recorded_without_an_address(site: Site) -> None:
    assert send(site, link(email="new@example.org")).status_code == 200
    assert site.unsubscribed("new@example.org") == ["weekly-news"]
    assert "new@example.org" not in str(site.rows())


def test_an_unknown_topic_is_recorded_as_a_private_topic(site: Site) -> None:
    assert send(site, link(topic="one-off")).status_code == 200
    assert site.unsubscribed() == ["one-off"]
    with site.database.reading() as session:
        assert topics.get(session, "one-off").visibility == "hidden"


def test_an_archived_topic_can_be_unsubscribed_from(site: Site) -> None:
    with site.database.transaction() as session:
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
    assert send(site, link()).status_code == 200
    assert site.unsubscribed() == ["weekly-news"]


def test_an_erased_subscriber_can_unsubscribe(site: Site) -> None:
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    assert send(site, link()).status_code == 200
    assert "ada@example.org" not in str(site.rows())


@pytest.mark.parametrize(
    "path",
    [
        "/u/x",
        "/u/" + "x" * 5000,
        "/u/%00",
        "/u/%ff%fe",
        "/u/1.2.3.4.5.6",
        "/u/" + link("preferences").removeprefix("/p/"),
        link() + "x",
        link()[:-1] + "_",
        link().replace("weekly", "weekiy"),
    ],
)
def test_an_invalid_link_is_refused_without_a_reason(site: Site, path: str) -> None:
    before = site.rows()
    answer = send(site, path)
    assert (answer.status_code, answer.text) == (400, "This link does not work.\n")
    assert site.rows() == before


@pytest.mark.parametrize("path", ["/u", "/u/", "/u//", "/u//x", "//u/x", "/U/x", link() + "/x"])
def test_a_path_near_the_route_does_not_redirect(site: Site, path: str) -> None:
    answer = send(site, path)
    assert 400 <= answer.status_code < 500
    assert "Location" not in answer.headers
    assert site.unsubscribed() == []


def test_a_link_signed_with_an_old_key_works_while_the_key_is_listed(site_with: SiteMaker) -> None:
    new = "new-link-key-for-tests-5hD8sK2gL7jF"
    site = site_with(link_keys=(make.LINK_KEY, new))
    assert send(site, link()).status_code == 200
    with site.database.transaction() as session:
        keys.add(session, KeyKind.LINK, [new], make.NOW)
    assert send(site_with(link_keys=(new,)), link()).status_code == 400


def test_a_very_old_link_works(site: Site) -> None:
    site.now += timedelta(days=365 * 40)
    assert send(site, link()).status_code == 200


def test_without_a_database_the_answer_is_503_and_nothing_is_stored(site: Site) -> None:
    before, database = site.rows(), site.database
    lose_database(site)
    answer = send(site, link())
    assert (answer.status_code, answer.text) == (503, "This may not be stored. Try again.\n")
    assert int(answer.headers["Retry-After"]) > 0
    use_database(site, database)
    assert site.rows() == before
    assert send(site, link()).status_code == 200


def test_a_failed_commit_is_answered_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.orm import Session

    def fail(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    before = site.rows()
    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", fail)
        assert send(site, link()).status_code == 503
    assert site.rows() == before


def test_the_log_says_whether_the_body_followed_rfc_8058(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    send(site, link())
    send(site, link(email="bob@example.org"), b"")
    assert [record.message for record in caplog.records if "one-click" in record.message] == [
        "one-click unsubscribe, new=True, rfc8058=True",
        "one-click unsubscribe, new=True, rfc8058=False",
    ]


def test_the_shortest_and_the_longest_link_work(site: Site) -> None:
    from preference_center.links.minter import Link

    for topic, campaign in (("a", "b"), ("t" * 32, "C" * 40)):
        signed = Link(make.NOW.date(), make.id_of(), topic, campaign)
        assert (
            send(site, "/u/" + write_link("unsubscribe", signed, [make.LINK_KEY])).status_code
            == 200
        )
    assert sorted(site.unsubscribed()) == ["a", "t" * 32]
