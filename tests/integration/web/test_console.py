"""The console served by two processes on PostgreSQL: what several browsers send at one moment."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from requests import Response, Session
from sqlalchemy import func, select

from preference_center.core.staff import members
from preference_center.core.staff_vocab import StaffRole
from preference_center.store import Database
from preference_center.store.tables import ApiKeyRow, StaffPasskey, StaffRow
from preference_center.util.clock import utc_now
from tests.support import make, postgres, processes
from tests.support.authenticator import Authenticator
from tests.support.console import SECRET_KEY

ADA, BOB = "ada@example.org", "bob@example.org"
_TOKEN = re.compile(r'(?:name="csrf_token" value|data-token)="([^"]+)"')
_SHOWN = re.compile(r'<input class="link" readonly value="([^"]+)"')


@dataclass(frozen=True)
class Served:
    """A running console, and its database."""

    base: str
    url: str
    database: Database

    def invite(self, email: str, role: StaffRole = StaffRole.ADMIN) -> str:
        """Return the token of a new invitation."""
        with self.database.transaction() as session:
            return members.invite(session, email, role, utc_now(), by=None)[1]

    def authenticator(self) -> Authenticator:
        return Authenticator(origin=self.base, party="localhost")


@dataclass
class Browser:
    """A browser with a cookie, which sends each request on a new connection."""

    base: str
    client: Session = field(default_factory=Session)

    def get(self, path: str) -> Response:
        return self.client.get(
            f"{self.base}/console/{path}", allow_redirects=False, headers={"Connection": "close"}
        )

    def token(self, path: str = "me") -> str:
        found = _TOKEN.search(self.get(path).text)
        assert found is not None
        return found[1]

    def send(self, path: str, **fields: Any) -> Response:
        """Send a form."""
        return self.client.post(
            f"{self.base}/console/{path}",
            data=fields,
            allow_redirects=False,
            headers={"Connection": "close"},
        )

    def ask(self, path: str, page: str, **body: Any) -> Response:
        """Send what the script of a page sends."""
        headers = {"X-CSRFToken": self.token(page), "Connection": "close"}
        return self.client.post(f"{self.base}/console/{path}", json=body, headers=headers)

    def enrol(self, invitation: str, passkey: Authenticator) -> Response:
        options = self.ask("welcome/options", "welcome", token=invitation).json()
        answer = passkey.create(options)
        return self.ask("welcome", "welcome", token=invitation, credential=answer)


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[Served]:
    port = processes.free_port()
    base = f"http://localhost:{port}"
    settings = make.environment(DATABASE_URL=postgres_url, PUBLIC_URL=base, SECRET_KEY=SECRET_KEY)
    database = make.database(postgres_url, connections=4)
    with processes.serving_process(settings, port, "--processes", "2") as (_, running):
        processes.wait_for(lambda: len(running.children) == 2, "the processes")
        yield Served(base, postgres_url, database)
    database.close()


@pytest.fixture
def served(server: Served) -> Served:
    tables = ("staff", "staff_audit", "staff_audit_head", "api_keys")
    postgres.forget_subscribers(server.url, *tables)
    return server


def at_once(*asked: Callable[[], Response]) -> list[Response]:
    """Ask each at one moment, and return the answers."""
    barrier = Barrier(len(asked))

    def wait(ask: Callable[[], Response]) -> Response:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(wait, asked))


def statuses(responses: list[Response]) -> list[int]:
    return sorted(each.status_code for each in responses)


def admin(served: Served, email: str = ADA) -> Browser:
    browser = Browser(served.base)
    assert browser.enrol(served.invite(email), served.authenticator()).status_code == 200
    return browser


def test_a_double_click_creates_one_key_and_both_answers_show_it(served: Served) -> None:
    ada = admin(served)
    for number in range(3):
        form = {"csrf_token": ada.token(), "once": str(number), "name": "shop", "scope": "links"}
        answers = at_once(*[partial(ada.send, "keys", **form)] * 4)
        assert statuses(answers) == [200] * 4
        assert len({key for each in answers for key in _SHOWN.findall(each.text)}) == 1
    with served.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ApiKeyRow)) == 3


def test_an_invitation_is_used_by_one_of_two_browsers(served: Served) -> None:
    invitation, sent = served.invite(ADA), []
    for browser in (Browser(served.base), Browser(served.base)):
        options = browser.ask("welcome/options", "welcome", token=invitation).json()
        answer = served.authenticator().create(options)
        ask = partial(browser.ask, "welcome", "welcome", token=invitation, credential=answer)
        sent.append(ask)
    assert statuses(at_once(*sent)) == [200, 422]
    with served.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(StaffPasskey)) == 1


def test_an_answer_of_a_passkey_signs_in_one_of_two_browsers(served: Served) -> None:
    passkey = served.authenticator()
    Browser(served.base).enrol(served.invite(ADA), passkey)
    browsers = [Browser(served.base), Browser(served.base)]
    answer = passkey.get(browsers[0].ask("sign-in/options", "sign-in").json())
    sent = [partial(each.ask, "sign-in", "sign-in", credential=answer) for each in browsers]
    assert statuses(at_once(*sent)) == [200, 422]


def test_of_two_admins_who_remove_each_other_one_stays(served: Served) -> None:
    browsers = {email: admin(served, email) for email in (ADA, BOB)}
    sent = [
        partial(browsers[by].send, "staff/remove", csrf_token=browsers[by].token(), email=email)
        for by, email in ((ADA, BOB), (BOB, ADA))
    ]
    assert set(statuses(at_once(*sent))) <= {303, 422}
    with served.database.reading() as session:
        left = session.scalars(select(StaffRow.email).where(StaffRow.removed_at.is_(None))).all()
    assert len(left) == 1
    opened = {email: each.get("me").status_code for email, each in browsers.items()}
    assert opened == {email: 200 if email in left else 303 for email in browsers}


def test_a_role_that_is_taken_away_holds_in_each_process_at_once(served: Served) -> None:
    ada, bob = admin(served), admin(served, BOB)
    assert {bob.get("staff").status_code for _ in range(6)} == {200}
    form = {"csrf_token": ada.token(), "email": BOB, "role": "viewer"}
    assert ada.send("staff/change", **form).status_code == 303
    assert {bob.get("staff").status_code for _ in range(8)} == {403}
