"""Fixtures: a site on each engine, sites with other settings, and a server for raw sockets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import make, nginx, processes
from tests.support.console import SECRET_KEY, Console
from tests.support.site import Site
from tests.support.wire import Served

SiteMaker = Callable[..., Site]


@pytest.fixture
def site_with(database_url: str) -> Iterator[SiteMaker]:
    """Yield a function that makes sites with other settings, on one database."""
    made: list[Site] = []

    def make_site(**settings: object) -> Site:
        made.append(Site(database_url, **settings))
        return made[-1]

    yield make_site
    for site in made:
        site.close()


@pytest.fixture
def site(site_with: SiteMaker) -> Site:
    """Return a site where ada and bob subscribe to two topics."""
    site = site_with()
    site.subscribe("ada@example.org", "bob@example.org")
    return site


def environment(database_url: str) -> dict[str, str]:
    """Return the environment of a server that trusts one proxy."""
    return make.environment(
        DATABASE_URL=database_url,
        SMTP_URL="smtp://localhost:9",
        MAIL_FROM="letters@example.org",
        TRUSTED_PROXIES="1",
    )


@pytest.fixture
def center(site_with: SiteMaker) -> Site:
    """Return a site with three topics; ada subscribes to two of them."""
    center = site_with(languages=("en", "de", "ar"))
    center.subscribe("ada@example.org")
    center.add_topic("town-letter")
    return center


@pytest.fixture(scope="module", params=["serve", "nginx"])
def server(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Yield the URLs of a server and its database, per module; directly and through nginx."""
    path = tmp_path_factory.mktemp("serve") / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{path}"
    with processes.serving(environment(url)) as base_url:
        if request.param == "serve":
            yield base_url, url
        else:
            with nginx.in_front_of(base_url) as proxy:
                yield proxy.url, url


@pytest.fixture
def served(server: tuple[str, str]) -> Served:
    return Served(*server)


@pytest.fixture
def console(site_with: SiteMaker) -> Console:
    """Return the console of an admin, on a site where ada and bob subscribe to two topics."""
    site = site_with(secret_key=SECRET_KEY)
    site.subscribe("ada@example.org", "bob@example.org")
    return Console(site)
