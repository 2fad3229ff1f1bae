"""Who may call each route of the console, from one table: every route with every role."""

from collections.abc import Iterator

import pytest

from preference_center.core.staff_vocab import Right, StaffRole
from preference_center.web.access import Caller
from tests.support.console import SECRET_KEY, Console
from tests.support.site import ORIGIN, Site
from tests.support.web_fixtures import SiteMaker

# endpoint -> the right that it needs; None is any member, and OPEN needs no sign-in.
OPEN = "open"
ROUTES: dict[str, Right | str | None] = {
    "acknowledge": Right.PERSON,
    "add_day_note": Right.LISTS,
    "add_passkey": None,
    "add_topic": Right.TOPICS,
    "add_webhook": Right.OPERATE,
    "adjust_person": Right.PERSON,
    "ask_erase_person": Right.PERSON,
    "audit_trail": Right.STAFF,
    "cancel_export": Right.EXPORT,
    "cancel_import": Right.IMPORT,
    "brand": Right.WORDING,
    "campaigns": Right.FIGURES,
    "campaigns_csv": Right.FIGURES,
    "change": Right.STAFF,
    "change_brand": Right.WORDING,
    "change_reason": Right.WORDING,
    "change_text": Right.WORDING,
    "change_topic": Right.TOPICS,
    "change_webhook_secret": Right.OPERATE,
    "choose_emails": None,
    "close_complaint": Right.PERSON,
    "complain_for_person": Right.PERSON,
    "complaints": Right.PERSON,
    "copy_person": Right.PERSON,
    "correct_person": Right.PERSON,
    "create_key": Right.OPERATE,
    "delete_export": Right.EXPORT,
    "delete_quarantined": Right.OPERATE,
    "delete_topic": Right.TOPICS,
    "describe_topic": Right.TOPICS,
    "draft_brand": Right.WORDING,
    "edit_text": Right.WORDING,
    "end_session": None,
    "erase_person": Right.PERSON,
    "export_list": Right.EXPORT,
    "exports": Right.EXPORT,
    "find_person": Right.PERSON,
    "finish_oidc": OPEN,
    "imports": Right.IMPORT,
    "invite": Right.STAFF,
    "keys": Right.OPERATE,
    "list_people": Right.LISTS,
    "list_webhooks": Right.OPERATE,
    "mailing": Right.FIGURES,
    "lists": Right.LISTS,
    "me": None,
    "offered_reasons_page": Right.WORDING,
    "one_export": Right.EXPORT,
    "one_import": Right.IMPORT,
    "notes": Right.PERSON,
    "move_topic": Right.TOPICS,
    "operations": Right.OPERATE,
    "overview": Right.FIGURES,
    "passkey_options": None,
    "people_page": Right.PERSON,
    "person": Right.PERSON,
    "person_changes": Right.PERSON,
    "person_emails": Right.PERSON,
    "person_preview": Right.PERSON,
    "person_preview_page": Right.PERSON,
    "preview_again": Right.IMPORT,
    "preview": Right.WORDING,
    "preview_list": Right.LISTS,
    "quarantined": Right.OPERATE,
    "reasons": Right.FIGURES,
    "remove": Right.STAFF,
    "remove_day_note": Right.LISTS,
    "remove_passkey": None,
    "remove_webhook": Right.OPERATE,
    "replay_webhook": Right.OPERATE,
    "review_topic": Right.TOPICS,
    "revoke_key": Right.OPERATE,
    "save_draft": Right.WORDING,
    "script": OPEN,
    "send_test": Right.WORDING,
    "show_list": Right.LISTS,
    "show_settings": Right.OPERATE,
    "sign_in": OPEN,
    "sign_in_options": OPEN,
    "sign_in_with_passkey": OPEN,
    "sign_out": None,
    "staff": Right.STAFF,
    "stop_export": Right.EXPORT,
    "start_export": Right.EXPORT,
    "start_for_person": Right.PERSON,
    "start_import": Right.IMPORT,
    "start_oidc": OPEN,
    "start_list": Right.LISTS,
    "strike_off": Right.OPERATE,
    "style": OPEN,
    "take_export": Right.EXPORT,
    "take_refused_rows": Right.IMPORT,
    "test_webhook": Right.OPERATE,
    "topic": Right.TOPICS,
    "topics": Right.TOPICS,
    "undo_for_person": Right.PERSON,
    "unsubscribe_person": Right.PERSON,
    "upload": Right.IMPORT,
    "undo_list": Right.LISTS,
    "welcome": OPEN,
    "welcome_options": OPEN,
    "welcome_with_passkey": OPEN,
    "wording": Right.WORDING,
}


@pytest.fixture
def site(site_with: SiteMaker) -> Site:
    return site_with(secret_key=SECRET_KEY)


def requests(site: Site) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the method and a path of each route of the console."""
    adapter = site.app.url_map.bind("")
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint.startswith("console."):
            values = {name: example(rule._converters[name]) for name in rule.arguments}
            for method in (rule.methods or set()) & {"GET", "POST"}:
                path = adapter.build(rule.endpoint, values, method=method)
                yield rule.endpoint.removeprefix("console."), method, path


def example(converter: object) -> object:
    """Return a value that a part of a path may have."""
    name = type(converter).__name__
    number = "00000000-0000-0000-0000-000000000000"
    return {"UUIDConverter": number, "IntegerConverter": 1}.get(name, "x")


def test_the_table_names_each_route_with_its_right(site: Site) -> None:
    views = site.app.view_functions
    found = {
        endpoint.removeprefix("console."): getattr(view, "right", None)
        if getattr(view, "caller", None) is Caller.STAFF
        else OPEN
        for endpoint, view in views.items()
        if endpoint.startswith("console.")
    }
    assert found == ROUTES


@pytest.mark.parametrize("role", StaffRole)
@pytest.mark.parametrize("may_export", [False, True])
def test_a_role_reaches_only_what_its_rights_allow(
    site: Site, role: StaffRole, may_export: bool
) -> None:
    console = Console(site, role, may_export=may_export)
    token = console.token()
    allowed = role.rights | ({Right.EXPORT} if may_export else set())
    for name, method, path in requests(site):
        if ROUTES[name] in (OPEN, None):
            continue
        response = console.client.open(
            path, method=method, base_url=ORIGIN, data={"csrf_token": token}
        )
        assert (response.status_code == 403) is (ROUTES[name] not in allowed), (name, method)
        assert response.status_code < 500, (name, method)


def test_without_a_session_every_route_asks_to_sign_in(site: Site) -> None:
    before = site.rows()
    for name, method, path in requests(site):
        if ROUTES[name] != OPEN:
            response = site.open(method, path)
            if method == "GET":
                assert (response.status_code, response.location) == (303, "/console/sign-in"), name
            else:  # It has no token either.
                assert response.status_code == 400, name
    assert site.rows() == before


def test_a_change_without_the_token_of_the_session_is_refused(site: Site) -> None:
    console = Console(site)
    before = site.rows()
    for name, method, path in requests(site):
        if method == "POST":
            for data in ({}, {"csrf_token": "of another session"}):
                response = console.client.post(path, base_url=ORIGIN, data=data)
                assert response.status_code == 400, name
    assert site.rows() == before


def test_without_a_key_there_is_no_console(site_with: SiteMaker) -> None:
    without, paths = site_with(), list(requests(site_with(secret_key=SECRET_KEY)))
    for _, method, path in paths:
        response = without.open(method, path)
        assert response.status_code == 404
        assert "Set-Cookie" not in response.headers


def test_at_another_host_there_is_no_console(site_with: SiteMaker) -> None:
    site = site_with(secret_key=SECRET_KEY, console_origin="https://console.example.org")
    assert site.get("/console/sign-in").status_code == 404
    for host in ("https://console.example.org", "https://console.example.org:8443"):
        assert site.client.get("/console/sign-in", base_url=host).status_code == 200
