"""`POST /audience`: one line of answer for each line, and a last line with `done`."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from preference_center.asgi_uploads import UNREAD
from preference_center.core import audience as core_audience
from preference_center.core import processes
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.processes import Process, Waiting
from preference_center.core.vocab import DecisionReason, Frequency, Scope
from preference_center.data import campaign_csv
from preference_center.store import UnavailableError
from preference_center.store.tables import Claim, Fetch
from preference_center.web.api import audience as module
from preference_center.web.api import streams
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.outage import down
from tests.support.site import Site
from tests.support.web_fixtures import SiteMaker

MAILING = "?topic=weekly-news&campaign=2026-47"
NDJSON, CSV = "application/x-ndjson", "text/csv"
LINKS = {"unsubscribe_url", "preferences_url", "list_unsubscribe", "list_unsubscribe_post"}


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.AUDIENCE)


def ask(
    api: Api, body: str | bytes, query: str = MAILING, kind: str = NDJSON, **headers: str
) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: TestResponse = api.post(
        f"/audience{query}", data=body, content_type=kind, headers=named
    )
    return answer


def lines(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == NDJSON
    return [json.loads(line) for line in answer.text.splitlines()]


def people(*emails: str) -> str:
    return "".join(json.dumps({"email": each}) + "\n" for each in emails)


def claimed(site: Site) -> set[UUID]:
    with site.database.reading() as session:
        held = select(Claim.subscriber_id).where(Claim.released_at.is_(None))
        return set(session.scalars(held))


def fetched(site: Site) -> bool:
    with site.database.reading() as session:
        return session.scalars(select(Fetch)).first() is not None


def test_each_line_is_answered_in_order_and_the_last_line_counts(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, "bob@example.org")
        make.subscriber(session, "cleo@example.org", "weekly-news")
        make.set_frequency(session, Frequency.WEEKLY, "cleo@example.org")
        session.add(
            Claim(
                subscriber_id=make.id_of("cleo@example.org"),
                topic="weekly-news",
                campaign="2026-46",
                claimed_at=make.NOW,
                received=1,
            )
        )
    body = people("ada@example.org", "bob@example.org", "", "cleo@example.org", "ada@example.org")
    ada, bob, refused, cleo, again, last = lines(ask(api, body))
    assert (ada["verdict"], ada["reason"], ada["line"]) == ("allow", None, 1)
    expected = make.minter().mint(
        "ada@example.org", "weekly-news", "2026-47", day=make.NOW.date(), list_name="Weekly news"
    )
    assert {name: ada[name] for name in LINKS} == {name: getattr(expected, name) for name in LINKS}
    assert (bob["verdict"], bob["reason"], LINKS & set(bob)) == ("deny", "unsubscribed", set())
    assert refused == {"line": 3, "error": "neither an email nor an id"}
    assert (cleo["verdict"], cleo["reason"]) == ("defer", "frequency")
    assert cleo["until"] == (make.NOW + timedelta(days=6, hours=12)).isoformat()
    assert cleo["detail"] == (
        "They asked for fewer emails on this topic, and get the next at 2026-11-29 02:05 UTC."
    )
    assert (again["verdict"], again["reason"]) == ("deny", "duplicate")
    assert last == {"done": True, "counts": {"allow": 1, "defer": 1, "deny": 2, "refused": 1}}
    assert fetched(site)
    assert claimed(site) == {make.id_of("cleo@example.org")}


def test_one_address_is_answered_in_words(api: Api) -> None:
    answer, _ = lines(ask(api, '{"email": "zoe@example.org"}', kind="application/json"))
    assert answer["detail"] == "The address is not on record, and this topic needs a subscription."


def test_every_reason_has_words() -> None:
    assert set(module._EXPLANATIONS) == {"", *DecisionReason}


def test_other_members_come_back_as_text(api: Api) -> None:
    line = {"email": "ada@example.org", "id": "17", "Name": "Ada", "n": 3, "verdict": "no"}
    answer, _ = lines(ask(api, json.dumps(line)))
    assert answer["row"] == {"id": "17", "name": "Ada", "n": "3", "verdict": "no"}
    assert (answer["id"], answer["verdict"]) == (str(make.id_of()), "allow")


def test_csv_is_read_as_the_command_reads_it(api: Api) -> None:
    body = f"E-Mail;id;name\r\n\r\nada@example.org;;Ada\r\n;{make.id_of('bob@example.org')};B\r\n"
    ada, bob, last = lines(ask(api, body, kind="text/csv; charset=utf-8"))
    assert (ada["line"], ada["email"], ada["row"]) == (3, "ada@example.org", {"name": "Ada"})
    assert (bob["email"], bob["verdict"]) == ("bob@example.org", "allow")
    assert last["counts"]["allow"] == 2


def test_claims_are_made_and_released(site: Site, api: Api) -> None:
    body = people("ada@example.org", "zoe@example.org")
    answer = ask(api, body, f"{MAILING}&claim=true").text
    assert claimed(site) == {make.id_of()}
    # A program may send back what it was answered.
    *_, last = lines(ask(api, answer, f"{MAILING}&release=true"))
    assert last == {"done": True, "counts": {"released": 1, "refused": 0}}
    assert claimed(site) == set()


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "distributed"], indirect=True)
def test_an_email_that_a_person_needs_is_stopped_by_the_address_only(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, "ada@example.org", None)
        make.subscriber(session, "cleo@example.org")
        make.unsubscribe(session, "cleo@example.org", None, Scope.ADDRESS)
        make.subscriber(session, "dan@example.org")
    before = site.rows()
    body = people("ada@example.org", "cleo@example.org", "zoe@example.org", "ada@example.org")
    *found, last = lines(ask(api, body, "?kind=transactional"))
    assert [each["verdict"] for each in found] == ["allow", "deny", "allow", "allow"]
    assert found[1]["reason"] == "suppressed"
    assert found[1]["detail"].startswith("Every email to this address is stopped")
    assert not [each for each in found if LINKS & set(each)]
    assert last["counts"] == {"allow": 3, "defer": 0, "deny": 1, "refused": 0}
    assert {**site.rows(), "api_keys": []} == {**before, "api_keys": []}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?topic=weekly-news",
        f"{MAILING}&claim=true&release=true",
        f"{MAILING}&kind=other",
        "?kind=transactional&claim=true",
        "?kind=transactional&topic=weekly-news",
        "?topic=No&campaign=c",
        f"{MAILING}&more=1",
        "?topic=weekly-news&campaign=receipt",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    assert_problem(ask(api, people("ada@example.org"), query), 422, "invalid-request")


def test_an_unknown_topic_and_an_archived_one_are_refused(site: Site, api: Api) -> None:
    body = people("ada@example.org")
    assert_problem(ask(api, body, "?topic=none&campaign=c"), 404, "unknown-topic")
    site.archive("weekly-news")
    assert_problem(ask(api, body), 409, "conflict")


@pytest.mark.parametrize("body", ["", "name\nAda\n", "email,email\na@b.c,d@e.f\n"])
def test_a_csv_without_an_address_is_refused_as_a_whole(api: Api, body: str) -> None:
    assert_problem(ask(api, body, kind=CSV), 422, "invalid-request")


def test_another_type_or_encoding_is_refused(api: Api) -> None:
    assert_problem(ask(api, "x", kind="text/plain"), 415, "unsupported-type")
    assert_problem(ask(api, "x", Content_Encoding="br"), 415, "unsupported-type")


def test_the_key_needs_the_scope(site: Site) -> None:
    other = Api(site, ApiScope.LINKS)
    assert_problem(ask(other, people("ada@example.org")), 403, "missing-scope")


def test_gzip_is_read_and_answered(api: Api) -> None:
    body = gzip.compress(people("ada@example.org").encode())
    answer = ask(api, body, Content_Encoding="gzip", Accept_Encoding="br, gzip;q=0.5")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert json.loads(gzip.decompress(answer.data).splitlines()[-1])["done"] is True
    plain = ask(api, body, Content_Encoding="gzip", Accept_Encoding="gzip;q=0")
    assert lines(plain)[0]["verdict"] == "allow"


def test_a_body_that_is_not_gzip_is_refused(api: Api) -> None:
    packed = gzip.compress(people("ada@example.org").encode())
    for body in (b"plain", packed[:-4], packed[:20]):
        assert_problem(ask(api, body, Content_Encoding="gzip"), 422, "invalid-request")


def test_nothing_is_claimed_for_a_body_whose_end_is_damaged(site: Site, api: Api) -> None:
    emails = ["ada@example.org", *(f"reader-{n}@example.org" for n in range(5000))]
    packed = gzip.compress(people(*emails).encode())[:-8]
    answer = ask(api, packed, f"{MAILING}&claim=true", Content_Encoding="gzip")
    assert_problem(answer, 422, "invalid-request")
    assert not claimed(site)


def test_a_body_may_not_grow_without_limit(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES", 1000)
    monkeypatch.setattr(streams, "MAX_UPLOAD_BYTES", 1000)
    body = people("ada@example.org") * 100
    assert_problem(
        ask(api, gzip.compress(body.encode()), Content_Encoding="gzip"), 413, "too-large"
    )
    assert_problem(ask(api, body), 413, "too-large")
    assert_problem(ask(api, body[:1001]), 413, "too-large")
    assert ask(api, people("ada@example.org")).status_code == 200


def test_a_small_body_may_not_become_a_large_one(api: Api) -> None:
    packed = gzip.compress(b"\n" * 1_100_000 + people("ada@example.org").encode())
    answer = ask(api, packed, Content_Encoding="gzip")
    assert_problem(answer, 413, "too-large")
    assert answer.json["detail"] == "It unpacks to more than 1,048,576 bytes."


def test_the_lines_of_a_body_are_limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_LINES", 3)
    for line_end in ("\n", "\r\n", "\r"):
        body = f"email{line_end}ada@example.org{line_end}{line_end}"
        assert lines(ask(api, body, kind=CSV))[0]["verdict"] == "allow"
        answer = ask(api, body + line_end, kind=CSV)
        assert_problem(answer, 413, "too-large")
        assert answer.json["detail"] == "It has more than 3 lines."


def test_a_long_line_is_refused_and_the_others_are_answered(api: Api) -> None:
    body = people("a" * 1_100_000 + "@example.org", "ada@example.org")
    refused, ada, _ = lines(ask(api, body))
    assert "longer than 1,048,576 bytes" in refused["error"]
    assert ada["verdict"] == "allow"


@pytest.mark.parametrize(
    "line", ["17", "[]", "nonsense", '{"email": 17}', '{"email": {"a": "b"}}', '{"id": "17"}', "\0"]
)
def test_a_line_that_makes_no_sense_is_refused_alone(api: Api, line: str) -> None:
    refused, ada, last = lines(ask(api, f"{line}\n{people('ada@example.org')}"))
    assert set(refused) == {"line", "error"}
    assert ada["verdict"] == "allow"
    assert last["counts"]["refused"] == 1


def test_without_the_database_there_is_no_verdict(site: Site, api: Api) -> None:
    with down(site.database):
        answer = ask(api, people("ada@example.org"))
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "60"


def test_a_body_that_was_not_read_is_not_an_empty_one(api: Api) -> None:
    path, unread = f"/audience{MAILING}", {UNREAD: True}
    answer = api.post(path, data=b"", content_type=NDJSON, environ_overrides=unread)
    assert_problem(answer, 503, "unavailable")


def failing_after(batches: int, error: Exception) -> Callable[..., Any]:
    ask_database, asked = core_audience.ask, 0

    def ask_or_fail(*arguments: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked > batches:
            raise error
        return ask_database(*arguments, **options)

    return ask_or_fail


@pytest.mark.parametrize(
    ("error", "status"), [(UnavailableError("gone"), 503), (ZeroDivisionError(), 500)]
)
def test_a_failure_after_the_start_is_a_last_line_without_done(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    monkeypatch.setattr(campaign_csv, "BATCH_SIZE", 1)
    monkeypatch.setattr(core_audience, "ask", failing_after(1, error))
    body = people("ada@example.org", "bob@example.org")
    ada, last = lines(ask(api, body))
    assert ada["verdict"] == "allow"
    assert set(last) == {"problem"}
    assert last["problem"]["status"] == status
    code = {503: "unavailable", 500: "server-error"}[status]
    assert last["problem"]["type"] == f"https://mail.example.org/api/docs#{code}"


def test_a_failure_before_the_first_verdict_has_a_status(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_audience, "ask", failing_after(0, UnavailableError("gone")))
    assert_problem(ask(api, people("ada@example.org")), 503, "unavailable")


def test_unsubscribes_that_wait_in_a_spool_stop_the_check(
    site: Site, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = {**(processes.wait_until_empty.__kwdefaults__ or {}), "timeout": 0}
    monkeypatch.setattr(processes.wait_until_empty, "__kwdefaults__", defaults)
    with site.database.transaction() as session:
        waiting = Process(UUID(int=1), "host-name", 17)
        processes.report(session, waiting, lambda: Waiting(1, make.NOW))
    answer = ask(api, people("ada@example.org"))
    assert_problem(answer, 503, "unsubscribes-waiting")
    assert answer.headers["Retry-After"] == "10"
    assert "host-name" not in answer.text


def test_a_few_long_requests_are_answered_at_once(
    site: Site, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_MEMORY_BYTES", 80)
    long, short = people("ada@example.org") * 4, people("ada@example.org")
    path, sent = f"/audience{MAILING}", {"content_type": NDJSON, "buffered": False}
    open_answers = [api.post(path, data=long, **sent) for _ in range(streams.MAX_STREAMS)]
    answer = ask(api, long)
    assert_problem(answer, 503, "busy")
    assert answer.headers["Retry-After"] == "10"
    assert lines(ask(api, short))[-1]["done"] is True
    assert_problem(ask(api, gzip.compress(short.encode()), Content_Encoding="gzip"), 503, "busy")
    open_answers[0].close()
    assert lines(ask(api, long))[-1]["done"] is True
    for each in open_answers[1:]:
        each.close()


def test_a_test_key_acts_on_reserved_addresses_only(site: Site) -> None:
    tester = Api(site, kind=ApiKeyKind.TEST)
    site.subscribe("real@company.de", topics=("other",))
    body = people("ada@example.org", "real@company.de", "x@y.test") + json.dumps(
        {"id": str(make.id_of("bob@example.org"))}
    )
    ada, real, unknown, by_id, _ = lines(ask(tester, body, f"{MAILING}&claim=true"))
    assert (ada["verdict"], unknown["reason"]) == ("allow", "unknown")
    for refused in (real, by_id):
        assert refused["error"].startswith("a test key needs an email address of a reserved")
    assert claimed(site) == {make.id_of()}
    assert not fetched(site)
    by_id_only = json.dumps({"id": str(make.id_of())})
    *_, last = lines(ask(tester, by_id_only, f"{MAILING}&release=true"))
    assert last["counts"] == {"released": 0, "refused": 1}


def test_the_path_of_the_public_url_precedes_it(site_with: SiteMaker) -> None:
    site = site_with(public_url="https://mail.example.org/center")
    site.subscribe()
    key = Api(site).key
    answer = site.post(
        f"/center/api/v1/audience{MAILING}",
        data=people("ada@example.org"),
        content_type=NDJSON,
        headers={"Authorization": f"Bearer {key}"},
    )
    assert lines(answer)[0]["verdict"] == "allow"


def test_pages_are_compressed_and_answers_are_not_held_back_for_it(site: Site, api: Api) -> None:
    answer = ask(api, people("ada@example.org") * 500, Accept_Encoding="br")
    assert "Content-Encoding" not in answer.headers
    assert answer.content_length is None
    assert site.app.config["COMPRESS_MIMETYPES"] == ["text/html"]
