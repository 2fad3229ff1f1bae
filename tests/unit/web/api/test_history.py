"""`/api/v1/subscribers/{id}/history`, and the cursors of every list."""

import re
from typing import Any

from werkzeug.test import TestResponse

from preference_center.core.vocab import Frequency
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site
from tests.support.web_fixtures import SiteMaker

HISTORY = f"/subscribers/{make.id_of()}/history"


def next_path(answer: TestResponse) -> str | None:
    """Return the path of the next page, below `/api/v1`, or None."""
    link = answer.headers.get("Link", "")
    found = re.fullmatch(r'</api/v1(/[^>]*)>; rel="next"', link)
    assert bool(found) == bool(link)
    return found[1] if found else None


def pages(api: Api, path: str, key: str) -> list[list[Any]]:
    """Return the rows of each page of a list."""
    found, wanted = [], path
    while wanted:
        answer = api.get(wanted)
        assert answer.status_code == 200
        found.append(answer.json[key])
        wanted = next_path(answer) or ""
    return found


def test_every_row_is_listed_once_oldest_first(site: Site) -> None:
    with site.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY)
        make.unsubscribe(session, campaign="2026-47", wording="Unsubscribe")
    found = pages(Api(site), f"{HISTORY}?limit=2", "changes")
    assert [[each["seq"] for each in page] for page in found] == [[1, 2], [3, 4]]
    last = found[-1][-1]
    assert (last["event"], last["scope"], last["topic"]) == ("unsubscribed", "topic", "weekly-news")
    assert (last["source"], last["campaign"]) == ("page", "2026-47")
    assert last["wording"] == "Unsubscribe"
    assert last["before"]["topic:weekly-news"]["frequency"] == "monthly"
    assert last["after"]["topic:weekly-news"]["status"] == "unsubscribed"


def test_an_erased_subscriber_has_only_times_and_sources(site: Site) -> None:
    api = Api(site)
    api.post(f"/subscribers/{make.id_of()}/erase")
    (changes,) = pages(api, HISTORY, "changes")
    assert [each["event"] for each in changes] == [
        "subscribed",
        "subscribed",
        "unsubscribed",
        "erased",
    ]
    for each in changes[:-1]:
        erasable = ("topic", "campaign", "wording", "before", "after")
        assert {name: each[name] for name in erasable} == dict.fromkeys(erasable)


def test_the_history_of_an_unknown_subscriber_is_a_problem(site: Site) -> None:
    answer = Api(site).get(f"/subscribers/{make.id_of('eve@example.org')}/history")
    assert_problem(answer, 404, "unknown-subscriber")


def test_a_cursor_belongs_to_one_list(site: Site) -> None:
    api = Api(site)
    cursor = (next_path(api.get(f"{HISTORY}?limit=1")) or "").rpartition("after=")[2]
    assert api.get(f"{HISTORY}?after={cursor}").status_code == 200
    for path in (
        f"/suppressions?after={cursor}",
        f"{HISTORY}?after={cursor[:-1]}",
        f"{HISTORY}?after=x{cursor}",
        f"{HISTORY}?after=",
        f"{HISTORY}?after=%00",
    ):
        assert_problem(api.get(path), 404, "not-found")


def test_a_cursor_outlives_a_new_server_key(site: Site, site_with: SiteMaker) -> None:
    cursor = next_path(Api(site).get(f"{HISTORY}?limit=1")) or ""
    later = site_with(server_keys=(make.SERVER_KEY, f"{make.SERVER_KEY}-2"))
    with later.database.transaction():
        pass  # The keys of the database are known from its first session on.
    assert Api(later).get(cursor).status_code == 200
