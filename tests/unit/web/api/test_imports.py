"""`POST /imports`: what the command does, with a line for each refused row and a last one."""

import gzip
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.data import imports as module
from preference_center.store import UnavailableError
from preference_center.web.api import streams
from preference_center.web.api.imports import COUNTS
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.command import run
from tests.support.foreign_files import MAILCHIMP_END, MAILCHIMP_START, csv_of, zipped
from tests.support.outage import down
from tests.support.site import Site

NDJSON, CSV, ZIP = "application/x-ndjson", "text/csv", "application/zip"
LEFT = "?topic=weekly-news&status=unsubscribed"


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.IMPORTS)


@pytest.fixture
def row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_PER_BATCH", 1)
    monkeypatch.setattr(streams, "_CHUNK", 1)


def send(api: Api, body: str | bytes, query: str = "", kind: str = CSV, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: TestResponse = api.post(f"/imports{query}", data=body, content_type=kind, headers=named)
    return answer


def lines(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == NDJSON
    return [json.loads(line) for line in answer.text.splitlines()]


def counts(**some: int) -> dict[str, int]:
    return {**dict.fromkeys(COUNTS, 0), **some}


def changed(site: Site, before: Any) -> set[str]:
    """Return the names of the tables that differ, but for that of the keys."""
    after = site.rows()
    return {name for name in after if after[name] != before[name]} - {"api_keys"}


def test_a_file_is_imported_and_each_refused_row_has_a_line(site: Site, api: Api) -> None:
    body = (
        "email,topic,status,locale\r\n"
        "ada@example.org,weekly-news,unsubscribed,!\r\n"
        "nobody,weekly-news,unsubscribed,\r\n"
        "zoe@example.org,weekly-news,subscribed,\r\n"
        "bob@example.org,weekly-news,subscribed,\r\n"
    )
    *about_rows, progress, last = lines(send(api, body))
    assert [each["line"] for each in about_rows] == [2, 3]
    assert about_rows[0]["warning"].startswith("the locale")
    assert about_rows[1]["error"] == "the email cannot be used: it has no @"
    assert progress == {"progress": counts(added=1, unsubscribed=1, unchanged=1, refused=1)}
    assert (last["done"], last["dry_run"], last["counts"]) == (True, False, progress["progress"])
    assert site.unsubscribed("ada@example.org") == ["weekly-news"]
    assert site.events("zoe@example.org") == [("subscribed", "weekly-news")]


MESSY = (
    "E-Mail;Status;Topic;shoe size\r\n"
    "ada@example.org;abgemeldet;weekly-news;38\r\n"
    '"bob@example.org;unsubscribed;weekly-news\r\n'
    "<zoe@example.org>;bounced;;\r\n"
    "x@example.org;perhaps;weekly-news;\r\n"
    "y@example.org;a@b.example;weekly-news;\r\n"
    "cleo@example.org;subscribed;other;\r\n"
    "dan@example.org;unsubscribed;new;\r\n"
)


def test_it_counts_and_finds_what_the_command_does(api: Api, database_url: str) -> None:
    said = run(database_url, "import", "-", "--dry-run", stdin=MESSY)
    *about_rows, _, last = lines(send(api, MESSY, "?dry_run=true"))
    printed = "Would have added {added}, unsubscribed {unsubscribed}, kept {kept}, "
    printed += "unchanged {unchanged}, erased {erased}, refused {refused}."
    assert said.stdout.splitlines()[0] == printed.format(**last["counts"])
    for each in about_rows:
        text = f"warning: {each['warning']}" if "warning" in each else each["error"]
        assert f"line {each['line']}: {text}\n" in said.stderr.replace("--", "")
    assert last["findings"] == {
        "ignored_columns": ["shoe size"],
        "notes": [],
        "cleaned": 1,
        "not_on_record": 2,
        "foreign_ids": 0,
        "new_topics": ["new"],
        "missing_topics": ["other"],
        "unmapped_topics": [],
        "unknown_words": {"status": ["'perhaps'", "(an address)"]},
    }


def test_no_line_quotes_an_address_or_a_row(api: Api) -> None:
    answer = send(api, MESSY).text
    assert "@" not in answer
    assert "x@" not in answer


def test_json_lines_are_imported(site: Site, api: Api) -> None:
    rows = [{"email": "ada@example.org"}, {"id": str(make.id_of("bob@example.org"))}, 17]
    body = "".join(f"{json.dumps(each)}\n" for each in rows)
    refused, _, last = lines(send(api, body, LEFT, NDJSON))
    assert refused == {"line": 3, "error": "the line is not a JSON object"}
    assert last["counts"] == counts(unsubscribed=2, refused=1)
    assert site.unsubscribed("bob@example.org") == ["weekly-news"]


def test_a_repeated_import_changes_nothing(site: Site, api: Api) -> None:
    send(api, "email\nada@example.org\n", LEFT)
    before = site.rows()
    *_, last = lines(send(api, "email\nada@example.org\n", LEFT))
    assert last["counts"] == counts(unchanged=1)
    *_, last = lines(send(api, "email\nada@example.org\n", "?topic=weekly-news&status=subscribed"))
    assert last["counts"] == counts(kept=1)
    assert changed(site, before) == set()


def test_a_dry_run_changes_nothing(site: Site, api: Api) -> None:
    before = site.rows()
    *_, last = lines(send(api, "email\nada@example.org\n", f"{LEFT}&dry_run=true"))
    assert (last["dry_run"], last["counts"]) == (True, counts(unsubscribed=1))
    assert changed(site, before) == set()


def test_nothing_is_emailed(site: Site, api: Api) -> None:
    lines(send(api, "email\nada@example.org\n", LEFT))
    assert site.emails() == []


def test_columns_are_ignored_and_topics_created_on_request(site: Site, api: Api) -> None:
    body = "email,topic,bounce rate,spam score\nzoe@example.org,extra,1,2\n"
    query = "?status=subscribed&ignore_column=Bounce%20rate"
    assert_problem(send(api, body, query), 422, "invalid-request")
    query += "&ignore_column=spam+score"
    refused, _, last = lines(send(api, body, query))
    assert refused["error"] == "the topic does not exist"
    assert last["findings"]["missing_topics"] == ["extra"]
    *_, last = lines(send(api, body, f"{query}&create_topics=true"))
    assert (last["counts"], last["findings"]["new_topics"]) == (counts(added=1), ["extra"])


@pytest.mark.parametrize(
    ("body", "query", "why"),
    [
        ("", "", "the file is empty"),
        ("name\nAda\n", LEFT, "no column is named email or id"),
        ("email\nada@example.org\n", "", "use status=unsubscribed"),
        ("email,bounced\nada@example.org,1\n", "", "use ignore_column"),
        (
            "email\nada@example.org\n",
            f"{LEFT}&ignore_column=x",
            "ignore_column: there is no column",
        ),
        ("id,seq,event,hash\n", LEFT, "this is an export of the ledger"),
        ("PK\x03\x04", LEFT, "this is an Excel workbook"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_as_a_whole(
    api: Api, body: str, query: str, why: str
) -> None:
    answer = send(api, body, query)
    assert_problem(answer, 422, "invalid-request")
    assert why in answer.json["detail"]
    assert "--" not in answer.json["detail"]


@pytest.mark.parametrize(
    "query",
    ["?status=perhaps", "?topic=No", "?dry_run=perhaps", "?more=1", f"{LEFT}&topic=other"],
)
def test_a_query_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    answer = send(api, "email,status\n", query)
    assert_problem(answer, 422, "invalid-request")
    assert len(answer.json["errors"]) == 1


def test_other_requests_are_refused(site: Site, api: Api) -> None:
    body = "email\nada@example.org\n"
    assert_problem(send(api, body, LEFT, "text/plain"), 415, "unsupported-type")
    assert_problem(send(api, body, LEFT, "application/json"), 422, "invalid-request")
    assert_problem(send(api, body, LEFT, Content_Encoding="br"), 415, "unsupported-type")
    assert_problem(send(Api(site, ApiScope.EXPORTS), body, LEFT), 403, "missing-scope")
    assert site.unsubscribed() == []


def test_gzip_is_read_and_answered(site: Site, api: Api) -> None:
    body = gzip.compress(b"email\nada@example.org\n")
    answer = send(api, body, LEFT, Content_Encoding="gzip", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.data).splitlines()[-1])["done"] is True
    assert site.unsubscribed() == ["weekly-news"]


def test_progress_is_answered_after_each_batch(api: Api, row_by_row: None) -> None:
    body = "email\nada@example.org\nnobody\nnothing\nbob@example.org\n"
    found = [next(iter(each)) for each in lines(send(api, body, LEFT))]
    # A file whose rows are all refused is answered as it is read: its lines fill no memory.
    assert found == [
        *("progress", "line", "progress", "line", "progress", "progress", "done"),
    ]


def test_what_is_answered_is_committed(site: Site, api: Api, row_by_row: None) -> None:
    """A client that goes away leaves the rest of the file undone, and imports it again."""
    body = "email\n" + "".join(f"reader-{n}@example.org\n" for n in range(9))
    sent = {"data": body, "content_type": CSV, "buffered": False}
    answer = api.post(f"/imports{LEFT}", **sent)
    next(iter(answer.response))
    answer.close()
    assert site.unsubscribed("reader-0@example.org") == ["weekly-news"]
    assert site.unsubscribed("reader-8@example.org") == []
    *_, last = lines(send(api, body, LEFT))
    assert last["counts"]["unchanged"] >= 1
    assert last["counts"]["unsubscribed"] + last["counts"]["unchanged"] == 9


def test_without_the_database_nothing_is_imported(site: Site, api: Api) -> None:
    with down(site.database):
        answer = send(api, "email\nada@example.org\n", LEFT)
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "60"


def test_a_failure_after_the_beginning_is_a_last_line_without_done(
    site: Site, api: Api, row_by_row: None
) -> None:
    body = "email\nada@example.org\nbob@example.org\n"
    answer = api.post(f"/imports{LEFT}", data=body, content_type=CSV, buffered=False)
    parts = iter(answer.response)
    first = next(parts)
    with down(site.database, UnavailableError("gone")):
        last = json.loads(b"".join(parts).splitlines()[-1])
    assert set(last) == {"problem"}
    assert last["problem"]["type"] == "https://mail.example.org/api/docs#unavailable"
    assert json.loads(first) == {"progress": counts(unsubscribed=1)}
    assert site.unsubscribed("ada@example.org") == ["weekly-news"]
    assert site.unsubscribed("bob@example.org") == []


def test_nothing_is_imported_from_a_body_whose_end_is_missing(site: Site, api: Api) -> None:
    whole = gzip.compress(b"email\nada@example.org\n")
    answer = send(api, whole[:-4], LEFT, Content_Encoding="gzip")
    assert_problem(answer, 422, "invalid-request")
    assert site.unsubscribed() == []


MAILGUN = "address,tags,created_at\r\nada@example.org,weekly,\r\nbob@example.org,*,\r\nx,*,\r\n"


@pytest.mark.parametrize("name", ["mailgun", "auto"])
def test_a_file_of_another_system_is_imported(site: Site, api: Api, name: str) -> None:
    topic, refused, *_, last = lines(send(api, MAILGUN, f"?from={name}"))
    assert refused["line"] == 4
    assert refused["error"] == "the email cannot be used: it has no @"
    assert topic["warning"] == "its topic is not mapped: unsubscribed from every topic"
    assert last["counts"] == counts(unsubscribed=2, refused=1)
    assert last["findings"]["unmapped_topics"] == ["'weekly'"]
    assert last["findings"]["notes"][0] == "Format: Mailgun."
    assert site.unsubscribed("bob@example.org") == ["all"]


def test_an_archive_of_another_system_is_imported(site: Site, api: Api) -> None:
    header = (*MAILCHIMP_START, *MAILCHIMP_END)
    rows = [{"Email Address": each} for each in ("zoe@example.org", "nobody")]
    body = zipped(
        **{
            "subscribed_1.csv": csv_of(header, rows),
            "unsubscribed_1.csv": csv_of(
                (*header, "UNSUB_TIME"), [{"Email Address": "ada@example.org"}]
            ),
        }
    )
    for encoding, packed in (("identity", body), ("gzip", gzip.compress(body))):
        refused, *_, last = lines(
            send(api, packed, "?from=mailchimp&topic=weekly-news", ZIP, Content_Encoding=encoding)
        )
        assert (refused["part"], refused["line"]) == ("subscribed_1.csv", 3)
        assert last["counts"]["refused"] == 1
    assert site.unsubscribed("ada@example.org") == ["weekly-news"]
    assert site.events("zoe@example.org") == [("subscribed", "weekly-news")]


def test_a_file_that_another_system_has_not_written_is_refused(site: Site, api: Api) -> None:
    answer = send(api, "email,topic,status\n", "?from=mailgun")
    assert_problem(answer, 422, "invalid-request")
    assert "Use from=auto to find its format, or from=csv, with status" in answer.json["detail"]
    answer = send(api, "email,tags,created_at\n", "?from=nobody")
    assert answer.json["errors"][0]["pointer"] == "/from"
    assert_problem(send(api, b"PK", LEFT, ZIP), 422, "invalid-request")
    tester = Api(site, kind=ApiKeyKind.TEST)
    assert_problem(send(tester, MAILGUN, "?from=mailgun"), 403, "test-key")


@pytest.mark.parametrize(
    "row",
    [
        "real@company.de,",
        "real@company.de;ada@example.org,",
        f"ada@example.org,{make.id_of('real@company.de')}",
        f",{make.id_of('ada@example.org')}",
        "nothing,",
        '"real@company.de',
    ],
)
def test_a_test_key_acts_on_reserved_addresses_only(site: Site, row: str) -> None:
    tester = Api(site, kind=ApiKeyKind.TEST)
    site.subscribe("real@company.de", topics=("other",))
    before = site.rows()
    refused, _, last = lines(send(tester, f"E-Mail,id\n{row}\n", LEFT))
    assert refused["line"] == 2
    assert refused["error"].startswith("a test key needs an email address of a reserved domain")
    assert last["counts"] == counts(refused=1)
    assert changed(site, before) == set()


def test_a_test_key_imports_reserved_addresses(site: Site) -> None:
    tester = Api(site, kind=ApiKeyKind.TEST)
    body = f"E-Mail,id\nada@example.org,{make.id_of()}\n<x@a.test>;y@b.example,17\n"
    *_, last = lines(send(tester, body, LEFT))
    assert last["counts"] == counts(unsubscribed=3)
    assert site.unsubscribed() == ["weekly-news"]


@pytest.mark.parametrize("status", ["unsubscribed", "subscribed&create_topics=true"])
def test_a_test_key_creates_no_topic(site: Site, status: str) -> None:
    tester = Api(site, kind=ApiKeyKind.TEST)
    query = f"?topic=a-new-topic&status={status}"
    refused, _, last = lines(send(tester, "email\nada@example.org\n", query))
    assert refused == {"line": 2, "error": "the topic does not exist"}
    assert last["findings"]["missing_topics"] == ["a-new-topic"]
    assert last["findings"]["new_topics"] == []
