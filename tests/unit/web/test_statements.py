"""The number of SQL statements of a page does not depend on the subscriber's history."""

import pytest

from tests.support import make
from tests.support.site import Site, counted, link

MAX_STATEMENTS = {"/r/": 7, "/u/": 5, "/p/": 7}


@pytest.mark.every_engine
@pytest.mark.parametrize("page", MAX_STATEMENTS)
def test_a_page_takes_a_fixed_number_of_statements(site: Site, page: str) -> None:
    with site.database.transaction() as session:
        for number in range(5):
            make.topic(session, f"topic-{number}")
            make.unsubscribe(session, slug=f"topic-{number}")
    receipt = site.post(f"{link()}/leave", data={"scope": "topic"}).location.partition("?")[0]
    paths = {"/r/": receipt, "/u/": link(), "/p/": link("preferences")}
    with counted(site) as statements:
        site.page(paths[page])
    assert len(statements) <= MAX_STATEMENTS[page], statements
