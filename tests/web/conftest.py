"""A site on each engine, and sites with other settings."""

from collections.abc import Callable, Iterator

import pytest

from tests.web.site import Site

SiteMaker = Callable[..., Site]


@pytest.fixture
def site_with(database_url: str) -> Iterator[SiteMaker]:
    """Yield a maker of sites with settings of their own, on one database."""
    made: list[Site] = []

    def make_site(**settings: object) -> Site:
        made.append(Site(database_url, **settings))
        return made[-1]

    yield make_site
    for site in made:
        site.close()


@pytest.fixture
def site(site_with: SiteMaker) -> Site:
    """Return a site where ada and bob read two topics."""
    site = site_with()
    site.enrol("ada@example.org", "bob@example.org")
    return site
