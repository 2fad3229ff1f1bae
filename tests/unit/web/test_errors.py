"""Errors are answered with a page for people and with a line of text for machines."""

from typing import Any

import pytest
from flask import Blueprint, abort
from werkzeug.test import TestResponse

from preference_center.links.signing import BadLink
from preference_center.providers.event import InvalidSignatureError
from preference_center.store import SchemaError, UnavailableError
from preference_center.web import errors
from tests.support.site import Site, link, lose_database
from tests.support.web_fixtures import SiteMaker

ERRORS: dict[str, tuple[type[Exception] | int, int]] = {
    "link": (BadLink, 400),
    "signature": (InvalidSignatureError, 403),
    "database": (UnavailableError, 503),
    "schema": (SchemaError, 503),
    "unexpected": (ZeroDivisionError, 500),
    "absent": (404, 404),
    "too-large": (413, 413),
    "too-many": (429, 429),
}


# Errors do not depend on the engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def answer(site: Site, name: str, *, machine: bool) -> TestResponse:
    """Return the answer of a new blueprint whose only view raises an error."""
    error = ERRORS[name][0]
    blueprint = Blueprint("of-a-test", __name__)
    if machine:
        errors.register_machine(blueprint)

    @blueprint.post("/of-a-test")
    def fail() -> Any:
        if isinstance(error, int):
            abort(error)
        raise error("of a test")

    site.app.register_blueprint(blueprint)
    return site.post("/of-a-test")


@pytest.mark.parametrize("name", ERRORS)
def test_a_blueprint_registered_for_machines_answers_with_a_line(
    site_with: SiteMaker, name: str
) -> None:
    found = answer(site_with(), name, machine=True)
    assert found.status_code == ERRORS[name][1]
    assert found.mimetype == "text/plain"
    assert "<" not in found.text
    assert found.text.strip().count("\n") == 0
    assert ("Retry-After" in found.headers) is (found.status_code == 503)


@pytest.mark.parametrize("name", ERRORS)
def test_any_other_blueprint_answers_with_a_page(site_with: SiteMaker, name: str) -> None:
    found = answer(site_with(), name, machine=False)
    assert found.status_code == ERRORS[name][1]
    assert found.mimetype == "text/html"
    assert ("Retry-After" in found.headers) is (found.status_code == 503)


def test_every_route_for_machines_answers_with_a_line(site_with: SiteMaker) -> None:
    site = site_with()
    assert site.post(link()[:-1]).mimetype == "text/plain"
    assert site.post("/hooks/unknown").mimetype == "text/plain"
    lose_database(site)
    assert site.get("/readyz").status_code == 503
    assert site.get("/readyz").mimetype == "text/plain"
