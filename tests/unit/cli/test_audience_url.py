"""`audience --url` and `preference_center.client`: the same verdicts, without a database.

The server is a plain WSGI server, which hands the application the body as it arrives.
"""

import csv
import gzip
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server

from preference_center import create_app
from preference_center.cli import main
from preference_center.client import (
    Client,
    ClientError,
    IncompleteError,
    RefusedError,
    UnavailableError,
)
from preference_center.core import api_keys, topics
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.vocab import Frequency, Scope
from preference_center.store import Database
from preference_center.util.clock import utc_now
from preference_center.web.services import EXTENSION
from tests.support import make
from tests.support.command import run
from tests.support.outage import down

MAILING = ("--topic", "weekly-news", "--campaign", "2026-47")


class Names(TypedDict):
    topic: str
    campaign: str


NAMES: Names = {"topic": "weekly-news", "campaign": "2026-47"}


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Yield the base URL of a server for a WSGI application."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def app(database_url: str) -> Iterator[Any]:
    app = create_app(make.settings(database_url=database_url), clock=utc_now)
    yield app
    app.extensions[EXTENSION].database.close()


@pytest.fixture
def url(app: Any) -> Iterator[str]:
    with served(app) as base_url:
        yield base_url


@pytest.fixture
def key_file(database: Database, tmp_path: Path) -> Path:
    with database.transaction() as session:
        scopes = [ApiScope.AUDIENCE]
        text = api_keys.create(session, "tests", ApiKeyKind.LIVE, scopes, utc_now())[1]
    path = tmp_path / "key"
    path.write_text(f"{text}\n", encoding="ascii")
    return path


@pytest.fixture
def client(url: str, key_file: Path) -> Client:
    return Client(url, key_file.read_text("ascii"))


def fill(database: Database) -> None:
    """Subscribe ada, bob and cleo; bob leaves, cleo is capped, and dan's address is stopped."""
    with database.transaction() as session:
        for name in ("ada", "bob", "cleo", "dan"):
            make.subscriber(session, f"{name}@example.org")
        make.unsubscribe(session, "bob@example.org")
        make.set_frequency(session, Frequency.WEEKLY, "cleo@example.org")
        make.unsubscribe(session, "dan@example.org", None, Scope.ADDRESS)


def refused_lines(stderr: str) -> set[int]:
    return {int(number) for number in re.findall(r"^line (\d+): ", stderr, re.MULTILINE)}


def run_remotely(
    url: str, key_file: Path, *arguments: str, stdin: str | bytes, topic: str = "weekly-news"
) -> Result:
    """Run `audience` without any setting."""
    given = ("audience", "--topic", topic, "--campaign", "2026-47", *arguments)
    remote = ("--url", url, "--key-file", str(key_file))
    return CliRunner(env={"PREFERENCE_CENTER_DATABASE_URL": None}).invoke(
        main, [*given, *remote], input=stdin
    )


PEOPLE = (
    b"E-Mail;name;id\r\nada@example.org;\xc3\x84da;\r\nBOB@example.org;Bob;7\r\n"
    b"a;b;c;d\r\nnobody;x;\r\n;;\r\n;x;no\r\ncleo@example.org;;\r\nada@example.org;again;\r\n"
    b'dan@example.org;=1+1;\r\nnul\0@example.org;;\r\n"zoe@example.org";"a;""b";\r\n'
)


@pytest.mark.parametrize("options", [[], ["--claim"], ["--release"]])
def test_the_output_is_that_of_the_database(
    database: Database, database_url: str, url: str, key_file: Path, options: list[str]
) -> None:
    fill(database)
    if "--release" in options:
        run(database_url, "audience", *MAILING, "--claim", stdin=PEOPLE)
    remote = run_remotely(url, key_file, *options, stdin=PEOPLE)
    if "--release" in options:
        assert "Claims released: 2." in remote.stderr
        run(database_url, "audience", *MAILING, "--claim", stdin=PEOPLE)
    direct = run(database_url, "audience", *MAILING, *options, stdin=PEOPLE)
    assert (remote.exit_code, remote.stdout) == (direct.exit_code, direct.stdout) != (0, "")
    assert refused_lines(remote.stderr) == refused_lines(direct.stderr) == {4, 5, 7, 11}


def test_a_row_with_another_verdict_releases_nothing(
    database: Database, database_url: str, url: str, key_file: Path
) -> None:
    fill(database)
    run(database_url, "audience", *MAILING, "--claim", stdin="email\nada@example.org\n")
    kept = "email,verdict\nada@example.org,defer\n"
    assert "released: 0." in run_remotely(url, key_file, "--release", stdin=kept).stderr
    sent = "email,verdict\nada@example.org,allow\n"
    assert "released: 1." in run_remotely(url, key_file, "--release", stdin=sent).stderr


_cells = st.one_of(
    st.sampled_from([f"{name}@example.org" for name in ("ada", "bob", "cleo", "dan", "zoe")]),
    st.sampled_from(["", " ", "Ada <ADA@example.org>", "x", "a@b", str(make.id_of()), "=a@b.c"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(_cells, _cells), max_size=8))
def test_any_file_gets_the_same_verdicts(
    database: Database, database_url: str, url: str, key_file: Path, rows: list[tuple[str, str]]
) -> None:
    with database.reading() as session:
        empty = not topics.slugs(session)
    if empty:
        fill(database)
    text = "email,id\r\n" + "".join(
        ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in rows
    )
    remote = run_remotely(url, key_file, stdin=text.encode())
    direct = run(database_url, "audience", *MAILING, stdin=text.encode())
    assert (remote.exit_code, remote.stdout) == (direct.exit_code, direct.stdout)


def test_the_output_has_nothing_of_an_incomplete_answer(
    database: Database, app: Any, url: str, key_file: Path
) -> None:
    fill(database)
    with down(app.extensions[EXTENSION].database):
        result = run_remotely(url, key_file, stdin="email\nada@example.org\n")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        "Error: The database cannot be used now. Try again. The command stopped here.\n"
    )


def test_a_wrong_call_exits_2(database: Database, url: str, key_file: Path, tmp_path: Path) -> None:
    fill(database)
    people = "email\nada@example.org\n"
    assert run_remotely(url, key_file, stdin=people, topic="none").exit_code == 2
    assert run_remotely(url, key_file, stdin="name\nAda\n").exit_code == 2
    wrong = tmp_path / "wrong"
    wrong.write_text("pc_live_x")
    result = run_remotely(url, wrong, stdin=people)
    assert (result.exit_code, result.stdout) == (2, "")
    alone = CliRunner().invoke(main, ["audience", *MAILING, "--url", url], input=people)
    assert alone.exit_code == 2
    assert "--url and --key-file are used together." in alone.stderr


def test_no_server_exits_3(key_file: Path) -> None:
    result = run_remotely("http://127.0.0.1:9", key_file, stdin="email\nada@example.org\n")
    assert result.exit_code == 3
    assert "the server cannot be reached" in result.stderr


def test_the_client_asks_for_addresses_and_rows(database: Database, client: Client) -> None:
    fill(database)
    people: list[Any] = ["ada@example.org", {"email": "bob@example.org", "name": "Bob"}, {}]
    ada, bob, nothing = client.audience(people, **NAMES, claim=True)
    assert (ada["verdict"], bob["reason"], bob["row"]) == ("allow", "unsubscribed", {"name": "Bob"})
    assert nothing["error"] == "neither an email nor an id"
    claims, refused = client.release(people, **NAMES)
    assert (claims, [each["line"] for each in refused]) == (1, [3])
    (dan,) = client.transactional(["dan@example.org"])
    assert dan["reason"] == "suppressed"


def test_many_people_are_compressed_both_ways(database: Database, client: Client) -> None:
    fill(database)
    people = (f"reader-{n}@example.org" for n in range(4000))
    found = client.audience(people, **NAMES)
    assert sum(each["reason"] == "unknown" for each in found) == 4000


def test_a_problem_is_raised(database: Database, app: Any, url: str, client: Client) -> None:
    fill(database)
    with pytest.raises(RefusedError, match="There is no such topic") as refused:
        client.audience(["ada@example.org"], topic="none", campaign="c")
    assert (refused.value.status, refused.value.retry_after) == (404, None)
    with down(app.extensions[EXTENSION].database), pytest.raises(UnavailableError) as unavailable:
        client.audience(["ada@example.org"], **NAMES)
    assert (unavailable.value.status, unavailable.value.retry_after) == (503, 60)
    with pytest.raises(RefusedError, match="A valid API key is needed"):
        Client(url, "pc_live_wrong").audience((["x"] * 20_000), **NAMES)


DONE = {"done": True, "counts": {"allow": 1, "defer": 0, "deny": 0, "refused": 0}}
ALLOWED = {"line": 1, "email": "ada@example.org", "verdict": "allow"}


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [ALLOWED],
        [ALLOWED, {"problem": {"title": "The database cannot be used now."}}],
        [DONE, ALLOWED],
        [{**DONE, "done": 1}],
        [{**DONE, "counts": {**DONE["counts"], "allow": 2}}],  # type: ignore[dict-item]
        [[]],
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_is_not_complete_is_never_returned(sent: list[Any], packed: bool) -> None:
    text = "".join(json.dumps(each) + "\n" for each in sent).encode()
    with served(answering(text, packed=packed)) as url, pytest.raises(IncompleteError):
        Client(url, "k").audience(["ada@example.org"], **NAMES)


@pytest.mark.parametrize("cut", [1, 9, 30])
@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_was_cut_off_is_never_returned(cut: int, packed: bool) -> None:
    text = "".join(json.dumps(each) + "\n" for each in (ALLOWED, DONE)).encode()
    app = answering(text, packed=packed, cut=cut + (not packed))
    with served(app) as url, pytest.raises(IncompleteError):
        Client(url, "k").audience(["ada@example.org"], **NAMES)
    with served(answering(text, packed=packed)) as url:
        assert list(Client(url, "k").audience(["ada@example.org"], **NAMES)) == [ALLOWED]


def answering(text: bytes, *, packed: bool, cut: int = 0) -> Any:
    """Return an application that answers with `text`, of which the last bytes are missing."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        body = gzip.compress(text) if packed else text
        encoding = [("Content-Encoding", "gzip")] if packed else []
        start_response("200 OK", [("Content-Type", "application/x-ndjson"), *encoding])
        return [body[: len(body) - cut]]

    return app


def test_no_redirect_is_followed() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("302 Found", [("Location", "http://127.0.0.1:9/elsewhere")])
        return [b""]

    with served(app) as url, pytest.raises(RefusedError, match="HTTP status 302"):
        Client(url, "k").audience(["ada@example.org"], **NAMES)


def test_no_server_is_a_client_error() -> None:
    with pytest.raises(ClientError, match="cannot be reached"):
        Client("http://127.0.0.1:9", "k").audience(["ada@example.org"], **NAMES)


def test_the_output_is_csv(database: Database, url: str, key_file: Path) -> None:
    fill(database)
    result = run_remotely(url, key_file, stdin="email,name\nada@example.org,Ada\n")
    (row,) = csv.DictReader(result.stdout.splitlines())
    assert (row["verdict"], row["name"]) == ("allow", "Ada")
