"""A server whose keys differ from those of its database answers 503 and changes nothing."""

import shutil
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from sqlalchemy import delete

from preference_center.core.vocab import KeyKind
from preference_center.store import Database, keys
from preference_center.store.tables import KeyCheck
from tests.support import make, postgres, processes
from tests.support.site import Site, link
from tests.support.web_fixtures import SiteMaker, environment
from tests.support.wire import FORM, RFC, assert_unsubscribed, head, length, wire

pytestmark = pytest.mark.integration

OTHER = "another-key-for-tests-7gQ2mB5xK8wZ"
WRONG: dict[str, dict[str, Any]] = {
    "PREFERENCE_CENTER_IDENTITY_KEY": {"identity_key": OTHER},
    "PREFERENCE_CENTER_SERVER_KEYS": {"server_keys": (OTHER,)},
    "PREFERENCE_CENTER_LINK_KEYS": {"link_keys": (OTHER,)},
}


def _answer(url: str) -> tuple[int, str]:
    try:
        with urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def _post(base_url: str) -> int:
    with wire(base_url) as connection:
        return connection.request(head(link(), FORM, length(RFC)), RFC).status


@pytest.mark.parametrize("name", WRONG)
def test_every_request_that_needs_the_database_is_answered_503(
    site: Site, site_with: SiteMaker, name: str
) -> None:
    before = site.rows()
    wrong = site_with(**WRONG[name])
    ready = wrong.get("/readyz")
    assert (ready.status_code, ready.text.split()[0]) == (503, name)
    assert OTHER not in ready.text
    assert wrong.get("/healthz").status_code == wrong.get("/accessibility").status_code == 200
    for answer in (wrong.post(link()), wrong.get(link()), wrong.get(link("preferences"))):
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    assert wrong.post("/sign-up", data={"email": "ada@example.org"}).status_code == 503
    assert site.rows() == before


def test_a_running_server_detects_that_the_keys_were_replaced(site: Site) -> None:
    assert site.post(link()).status_code == 200
    with site.database.transaction() as session:
        session.execute(delete(KeyCheck).where(KeyCheck.kind == KeyKind.SERVER))
        keys.add(session, KeyKind.SERVER, [OTHER], make.NOW)
    assert site.post(link(email="bob@example.org")).status_code == 503
    assert site.get("/readyz").status_code == 503


@pytest.mark.parametrize("name", WRONG)
def test_a_real_server_with_a_wrong_key_does_not_start(database_url: str, name: str) -> None:
    result = processes.run({**environment(database_url), name: OTHER}, "serve", "--port", "1")
    assert result.returncode == 2
    assert result.stderr.startswith(f"Error: {name} ".encode())
    assert OTHER.encode() not in result.stderr


class _UnavailableDatabase:
    """A database that cannot be used until `restore()`, on each engine."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._hidden = folder / "hidden.db"
        self._path = Path(url.partition(":///")[2])
        self._refusing = postgres.refusing(url)
        if url.startswith("sqlite"):
            shutil.move(self._path, self._hidden)
            self._path.mkdir()
        else:
            self._refusing.__enter__()

    def restore(self) -> None:
        if self.url.startswith("sqlite"):
            self._path.rmdir()
            shutil.move(self._hidden, self._path)
        else:
            self._refusing.__exit__(None, None, None)


@pytest.mark.parametrize("name", [None, *WRONG])
def test_a_server_started_before_its_database_checks_the_keys_later(
    database: Database, database_url: str, tmp_path: Path, name: str | None
) -> None:
    database.close()
    unavailable = _UnavailableDatabase(database_url, tmp_path)
    settings = {**environment(database_url), **({name: OTHER} if name else {})}
    try:
        with processes.serving_process(settings) as (base_url, process):
            assert "Starting anyway" in process.output
            assert _answer(f"{base_url}/readyz")[0] == 503
            assert _post(base_url) == 503
            unavailable.restore()
            if name is None:
                processes.wait_for(lambda: _answer(f"{base_url}/readyz")[0] == 200, "never ready")
                with wire(base_url) as connection:
                    assert_unsubscribed(connection.request(head(link(), FORM, length(RFC)), RFC))
            else:
                processes.wait_for(
                    lambda: _answer(f"{base_url}/readyz")[1].startswith(name), "never checked"
                )
                assert _post(base_url) == 503
                assert OTHER not in process.output
    finally:
        if not unavailable.url.startswith("sqlite"):
            unavailable.restore()
    with database.reading() as session:
        assert bool(make.events(session)) == (name is None)
