"""The demo's pages, and what it adds to the pages of the product."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from preference_center.app import create_app
from preference_center.demo import company, history, inbox, outage, tampering
from preference_center.demo.app import create_demo_app
from preference_center.demo.outage import Outage
from preference_center.inbound.spool import SpoolState
from preference_center.settings.settings import Settings
from preference_center.store import Database
from tests.support import make

pytestmark = pytest.mark.integration

FEW = company.people()[:30]
LINE = '<a href="/demo/">Demo</a> · <a href="/demo/inbox">Back to the inbox</a>'


@pytest.fixture(scope="module")
def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database file with the history of a few readers."""
    path = tmp_path_factory.mktemp("filled") / "demo.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = make.database(f"sqlite:///{path}")
    history.fill(database, make.minter(), FEW, make.NOW)
    database.close()
    return path


@pytest.fixture
def settings(filled: Path, tmp_path: Path) -> Settings:
    path = tmp_path / "demo.db"
    path.write_bytes(filled.read_bytes())
    return make.settings(database_url=f"sqlite:///{path}")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = make.database(settings.database_url)
    yield database
    database.close()


@pytest.fixture
def demo(settings: Settings, tmp_path: Path) -> Iterator[FlaskClient]:
    app = create_demo_app(settings, tmp_path, clock=lambda: make.NOW)
    yield app.test_client(use_cookies=False)
    close(app)


def close(app: Flask) -> None:
    services = app.extensions["preference_center"]
    services.page_views.flush()
    services.database.close()


@pytest.mark.parametrize("path", ["u", "p", "broken"])
@pytest.mark.parametrize("compressed", ["gzip", "identity"])
def test_a_subscriber_page_is_the_products_own_with_a_line_that_leads_back(
    demo: FlaskClient, settings: Settings, path: str, compressed: str
) -> None:
    links = make.minter().mint(company.READER, "weekly-news", "c", day=make.NOW.date())
    paths = {"u": links.unsubscribe_url, "p": links.preferences_url, "broken": "/u/broken"}
    target = paths[path].removeprefix(settings.public_url)
    app = create_app(settings, clock=lambda: make.NOW)
    real = app.test_client(use_cookies=False).get(target)
    close(app)
    shown = demo.get(target)
    assert LINE not in real.text
    line = f'<p class="soft">{LINE}</p>\n'
    assert shown.text.count(line) == 1
    assert shown.text.replace(line, "") == real.text
    for header in ("Content-Security-Policy", "Cache-Control", "Referrer-Policy"):
        assert shown.headers[header] == real.headers[header]
    packed = demo.get(target, headers={"Accept-Encoding": compressed})
    assert packed.headers.get("Content-Encoding", "identity") == compressed


@pytest.mark.parametrize(
    "path", ["", "inbox", "mailing", "report", "webhook", "doctor", "style.css"]
)
def test_the_demos_own_pages_have_no_such_line(demo: FlaskClient, path: str) -> None:
    page = demo.get(f"/demo/{path}")
    assert page.status_code == 200
    assert "Back to the inbox" not in page.text


@pytest.mark.parametrize(
    "path", ["nothing", "inbox/nothing", "inbox/nothing/source", "next-mailing"]
)
def test_a_page_that_does_not_exist_leads_back_to_the_demo(demo: FlaskClient, path: str) -> None:
    page = demo.get(f"/demo/{path}")
    assert page.status_code == 404
    assert "Page not found" in page.text
    assert page.text.count(LINE) == 1
    assert "<form" not in page.text


def test_a_form_without_a_topic_leads_back_to_the_demo(demo: FlaskClient) -> None:
    page = demo.post("/demo/next-mailing")
    assert (page.status_code, page.text.count(LINE), "<form" in page.text) == (404, 1, False)


def test_the_demos_address_without_a_slash_leads_to_its_start_page(demo: FlaskClient) -> None:
    assert demo.get("/demo").headers["Location"].endswith("/demo/")


def test_the_steps_are_not_done_at_first(demo: FlaskClient) -> None:
    page = demo.get("/demo/").text
    assert page.count('<li id="step-') == 6
    assert 'class="done"' not in page
    assert "refresh" not in page
    assert "<script" not in page


def test_a_page_that_waits_for_an_email_reloads_itself(
    demo: FlaskClient, database: Database
) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, company.READER, "weekly-news", notice_delay=timedelta(0))
    for path in ("", "inbox"):
        assert '<meta http-equiv="refresh" content="2' in demo.get(f"/demo/{path}").text
    assert "refresh" not in demo.get("/demo/report").text


def test_what_is_done_during_an_outage_is_no_other_step(
    demo: FlaskClient, database: Database, tmp_path: Path
) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, company.READER, "offers", source="one-click")
    began = make.NOW - timedelta(seconds=1)
    values = {"topic": "offers", "status": 200, "seconds": 0.1, "waited": 1}
    saved = {"began_at": began.isoformat(), **values}
    (tmp_path / "outage.json").write_text(json.dumps(saved))
    assert outage.latest(tmp_path) == Outage(began, "offers", 200, 0.1, 1)
    page = demo.get("/demo/").text
    assert "The database is locked until" in page
    assert 'class="done"' not in page


def test_an_unsubscribe_that_is_applied_while_the_page_is_made_is_shown(
    demo: FlaskClient, database: Database, tmp_path: Path
) -> None:
    at = make.NOW - timedelta(seconds=30)
    outage_file = {"began_at": at.isoformat(), "topic": "offers", "status": 200}
    (tmp_path / "outage.json").write_text(json.dumps(outage_file | {"seconds": 0.1, "waited": 1}))

    class Emptied:
        def state(self) -> SpoolState:
            with database.transaction() as session:
                make.unsubscribe(
                    session, company.READER, "offers", source="one-click", occurred_at=at
                )
            return SpoolState(0, None, accepts=True)

    app = demo.application
    made = app.extensions["preference_center"]
    app.extensions["preference_center"] = replace(made, spool=Emptied())
    page = demo.get("/demo/").text
    assert "The request changed nothing" not in page
    assert "the unsubscribe was applied" in page


def test_a_row_is_altered_once_and_restored(database: Database, tmp_path: Path) -> None:
    reader = make.id_of(company.READER)
    assert tampering.latest(tmp_path) is None
    tampering.restore(database, tmp_path, reader)
    with database.reading() as session:
        before = tampering.verify(session)
    for _ in range(2):
        tampering.alter(database, tmp_path, reader, 2)
    with database.reading() as session:
        found = tampering.verify(session)
    assert (before.problems, found.rows) == ([], before.rows)
    assert found.problems == [f"{reader}: row 2 was altered, or its key is not in the settings"]
    tampering.restore(database, tmp_path, reader)
    with database.reading() as session:
        assert tampering.verify(session) == before
    restored = tampering.latest(tmp_path)
    assert restored is not None
    assert restored.restored


def test_the_headers_that_matter_are_marked() -> None:
    source = "From: a@b\r\nList-Unsubscribe: <x>,\r\n <y>\r\nlist-id: <l>\r\n\r\nList-Id: body\r\n"
    parts = inbox.marked_headers(source)
    assert "".join(text for text, _ in parts) == source.replace("\r\n", "\n")
    marked = [text for text, is_marked in parts if is_marked]
    assert marked == ["List-Unsubscribe: <x>,\n <y>", "list-id: <l>"]
