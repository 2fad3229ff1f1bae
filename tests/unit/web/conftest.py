"""Fixtures of the web tests."""

from tests.support.web_fixtures import SiteMaker as SiteMaker
from tests.support.web_fixtures import center as center
from tests.support.web_fixtures import console as console
from tests.support.web_fixtures import served as served
from tests.support.web_fixtures import server as server
from tests.support.web_fixtures import site as site
from tests.support.web_fixtures import site_with as site_with
