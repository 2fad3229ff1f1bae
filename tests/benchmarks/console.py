"""The pages of the console, with a year of a large installation on PostgreSQL.

Each page is asked for several times by one browser, after one request that is not counted.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator
from http.client import HTTPConnection
from statistics import median
from urllib.parse import quote, urlencode

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from tests.benchmarks import console_data, databases
from tests.benchmarks.measure import command, seconds_of
from tests.benchmarks.options import POSTGRESQL, Options
from tests.benchmarks.result import Result
from tests.support import processes

MAX_MILLISECONDS = 300
MEMBER = "ada@example.org"
_SECRET_KEY = "hT4wN9bX2mK7vR5cJ8qL3zF6gP1sY0dA"
_MIN_ROUNDS = 5
_TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')
_PERSON = "SELECT md5('1')::uuid"
_MAILING = "SELECT topic, campaign FROM emailed_counts WHERE day = current_date - 3 LIMIT 1"
_SESSION = """
INSERT INTO staff_sessions (digest, staff_id, started_at, seen_at)
SELECT %s, id, now(), now() FROM staff
"""


def run(options: Options) -> Iterator[Result]:
    if POSTGRESQL not in options.engines:
        return
    with databases.opened(POSTGRESQL) as url:
        invite = ("staff", "invite", MEMBER, "--role", "admin", "--export")
        command(databases.settings(url, SECRET_KEY=_SECRET_KEY), *invite)
        console_data.fill(url, options.people)
        yield from measure(url, options)


def measure(url: str, options: Options) -> Iterator[Result]:
    """Yield the median of each page, in a filled database."""
    port = processes.free_port()
    origin = f"http://localhost:{port}"
    settings = databases.settings(url, SECRET_KEY=_SECRET_KEY, CONSOLE_URL=origin)
    arguments = ("serve", "--port", str(port), "--processes", "1")
    with processes.running(settings, *arguments) as server:
        processes.wait_until_answering(server, f"http://127.0.0.1:{port}/readyz")
        browser = _Browser(url, port)
        for name, path, fields in _pages(url, browser):
            browser.load(path, fields)
            rounds = range(max(options.rounds, _MIN_ROUNDS))
            took = 1000 * median(browser.load(path, fields) for _ in rounds)
            work = f"console, {name}, {options.people:,} people, {POSTGRESQL}"
            yield Result(work, took, "–", MAX_MILLISECONDS, 1, at_least=False, unit="ms")


def _pages(url: str, browser: "_Browser") -> Iterator[tuple[str, str, dict[str, str] | None]]:
    """Yield the name, the path and the fields of each request; None is a GET."""
    with databases.connect(url) as connection:
        (person,) = map(str, connection.execute(_PERSON).fetchone())
        topic, campaign = connection.execute(_MAILING).fetchone()
    listed = f"/lists?topic={topic}"
    pages = {
        **{f"Overview, {days} days": f"/?span={days}" for days in (7, 30, 90)},
        **{f"Campaigns, {days} days": f"/campaigns?span={days}" for days in (30, 90, 365)},
        "Campaigns by rate, 365 days": "/campaigns?span=365&order=rate",
        "a mailing": f"/campaigns/mailing?topic={topic}&campaign={quote(campaign)}&span=365",
        **{f"Reasons, {days} days": f"/reasons?span={days}" for days in (90, 365)},
        **{f"notes, {days} days": f"/reasons/notes?span={days}" for days in (90, 365)},
        "People": "/people",
        "a person": f"/people/{person}",
        "Lists": "/lists",
        "Lists, of everybody": "/lists?show=1",
        "Lists, of a topic": listed,
        "Lists, of a topic and its weekly cap": f"{listed}&frequency=weekly&status=subscribed",
        "Lists, of a topic's campaign": f"{listed}&campaign={quote(campaign)}",
        "Lists, of a reason": "/lists?reason=too_many",
        "Lists, of who left on a day": "/lists?left_from=2026-01-01&left_to=2026-01-01",
        "Topics": "/topics",
        "Audit": "/audit",
        "Complaints": "/complaints",
        "Staff": "/staff",
        "Exports": "/data",
        "Imports": "/data/imports",
        "Operations": "/operations",
        "Wording": "/wording",
    }
    yield from ((name, path, None) for name, path in pages.items())
    yield "People, find", "/people", {"person": person, **browser.token}


class _Browser:
    """One member who is signed in, on one connection."""

    def __init__(self, url: str, port: int) -> None:
        token = secrets.token_urlsafe(32)
        with databases.connect(url) as connection:
            connection.execute(_SESSION, (hashlib.sha256(token.encode()).digest(),))
        app = Flask(__name__)
        app.secret_key = _SECRET_KEY
        signer = SecureCookieSessionInterface().get_signing_serializer(app)
        assert signer is not None
        csrf = secrets.token_hex(20)
        cookie = signer.dumps({"id": token, "csrf_token": csrf})
        self._headers = {"Host": f"localhost:{port}", "Cookie": f"console={cookie}"}
        self._connection = HTTPConnection("127.0.0.1", port)
        self._text = b""

    @property
    def token(self) -> dict[str, str]:
        """Return the field that every form has."""
        self.load("/people", None)
        found = _TOKEN.search(self._text)
        assert found is not None
        return {"csrf_token": found[1].decode()}

    def load(self, path: str, fields: dict[str, str] | None) -> float:
        """Return how many seconds a page takes. Raise RuntimeError if it was refused."""
        body = None if fields is None else urlencode(fields)
        form = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}
        headers, method = self._headers | form, "GET" if body is None else "POST"

        def send() -> None:
            self._connection.request(method, f"/console{path}", body, headers)
            answer = self._connection.getresponse()
            self._text = answer.read()
            if answer.status != (200 if fields is None else 303):
                raise RuntimeError(f"{path}: {answer.status} {self._text.decode()[:2000]}")

        return seconds_of(send)
