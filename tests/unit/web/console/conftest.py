"""Fixtures of the tests of the console."""

import pytest

from tests.support.console import SECRET_KEY, Console
from tests.support.site import Site
from tests.support.web_fixtures import SiteMaker


@pytest.fixture
def site(site_with: SiteMaker) -> Site:
    """Return a site with a console, where ada and bob subscribe to two topics."""
    site = site_with(secret_key=SECRET_KEY)
    site.subscribe("ada@example.org", "bob@example.org")
    return site


@pytest.fixture
def exporter(site: Site) -> Console:
    """Return the console of a marketer who may export."""
    return Console(site, "marketer", may_export=True)
