"""`/a/`: a person's data: see it, take it, erase it, complain. The link was emailed to the address.

GET shows the masked address and buttons only: programs that open every link in an email get no
data. Data come by POST.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO
from uuid import UUID

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from preference_center.core import data_complaints, erasure, personal_data
from preference_center.core.data_complaints import ACKNOWLEDGE_WITHIN, MAX_LENGTH
from preference_center.core.errors import ComplaintRefusal
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.preferences_form import SaveForm
from preference_center.core.unacknowledged import HELD_FOR
from preference_center.core.vocab import Source
from preference_center.data import access_copy
from preference_center.links.server import Account, read_account
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url
from preference_center.web.subscriber import account_links
from preference_center.web.subscriber.changes import (
    has_smtp,
    load_preferences,
    make,
    own_context,
    preferences_url,
)
from preference_center.web.subscriber.forms import ComplaintForm, LanguageForm

MAX_SHOWN = 50  # rows of each kind on the page; the download has all
CAMPAIGN = "account"  # of the changes that are made here
_IN_MEMORY = 1_000_000  # bytes of a download; a larger one is written to a temporary file
_CHUNK = 65_536
_SAID = ("language", "complained")

blueprint = Blueprint("account", __name__)


class ExpiredError(Exception):
    """The link was valid, and its hour is over. `locale` is the language of the page."""

    def __init__(self, locale: str) -> None:
        super().__init__(locale)
        self.locale = locale


@dataclass(frozen=True)
class _Opened:
    link: str
    subscriber_id: UUID
    current: SubscriberPreferences
    locale: str


@blueprint.before_request
def refuse_without_smtp() -> None:
    """Answer 404 where no link can be emailed."""
    if not has_smtp():
        abort(404)


@blueprint.get("/my-data/sent")
@open_to(Caller.ANYONE)
def sent() -> str:
    """Ask to check the inbox. The page is the same for every address."""
    return render("subscriber/account_sent.html", language())


@blueprint.get("/a/<signed:link>")
@open_to(Caller.LINK)
def show(link: str) -> str:
    """Show the masked address and the buttons. Changes nothing."""
    opened = _open(link)
    said = request.args.get("said")
    return _page(opened, "account", said=said if said in _SAID else "")


@blueprint.post("/a/<signed:link>/see")
@open_to(Caller.LINK)
def see(link: str) -> str:
    """Show in words what is on record. Changes nothing."""
    opened = _open(link)
    with services().database.reading() as session:
        held = personal_data.read(session, opened.subscriber_id, opened.locale, MAX_SHOWN)
    return _page(opened, "account_see", held=held, plain=False)


@blueprint.post("/a/<signed:link>/take")
@open_to(Caller.LINK)
def take(link: str) -> Response:
    """Return what is on record as a ZIP. Changes nothing."""
    opened, now = _open(link), services().clock()
    readme = render(
        "subscriber/readme.txt",
        opened.locale,
        address=opened.current.email or "",
        now=now,
        names=list(personal_data.SECTIONS),
    )
    file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (_chunks closes it)
    with services().database.reading() as session:
        access_copy.write(session, opened.subscriber_id, file, readme, now)
    file.seek(0)
    response = Response(_chunks(file), mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{access_copy.FILE_NAME}"'
    return response


@blueprint.post("/a/<signed:link>/language")
@open_to(Caller.LINK)
def switch_language(link: str) -> Response:
    """Record the language of our pages and emails."""
    opened, chosen = _open(link), str(LanguageForm().language.data or "")
    if chosen not in services().languages.offered:
        return redirect(url("account.show", link=link), 303)
    context = own_context(CAMPAIGN, language=chosen)
    make(SaveForm(opened.subscriber_id, [], context, chosen, has_smtp(), None, None))
    return redirect(url("account.show", link=link, said="language", lang=chosen), 303)


@blueprint.get("/a/<signed:link>/erase")
@open_to(Caller.LINK)
def ask_erase(link: str) -> str:
    """Say what stays, and ask. Changes nothing."""
    return _page(_open(link), "account_erase", days=HELD_FOR.days)


@blueprint.post("/a/<signed:link>/erase")
@open_to(Caller.LINK)
def erase(link: str) -> Response:
    """Erase the subscriber, as the API does."""
    opened, now = _open(link), services().clock()
    with services().database.transaction() as session:
        erasure.erase(session, [opened.subscriber_id], Source.PAGE, now)
    return redirect(url("account.show", link=link), 303)


@blueprint.get("/a/<signed:link>/complain")
@open_to(Caller.LINK)
def ask_complaint(link: str) -> str:
    """Show the form for a complaint. Changes nothing."""
    return _complaint_page(_open(link))


@blueprint.post("/a/<signed:link>/complain")
@open_to(Caller.LINK)
def complain(link: str) -> Response | tuple[str, int]:
    """Store a complaint about how data are used, and email it to the operator."""
    opened, form = _open(link), ComplaintForm()
    if opened.current.erased_at is not None:
        return redirect(url("account.show", link=link), 303)
    if form.problem:
        return _complaint_page(opened, form.text, form.problem), 400
    try:
        with services().database.transaction() as session:
            data_complaints.add(session, opened.subscriber_id, form.text, services().clock())
    except ComplaintRefusal:
        abort(429)
    return redirect(url("account.show", link=link, said="complained"), 303)


@blueprint.post("/a/<signed:link>/again")
@open_to(Caller.LINK)
def send_again(link: str) -> Response:
    """Email a fresh link in place of one that has expired."""
    return account_links.send(_read(link).subscriber_id)


@blueprint.errorhandler(ExpiredError)
def offer_again(expired: ExpiredError) -> tuple[str, int]:
    """Offer a fresh link."""
    link, locale = (request.view_args or {})["link"], expired.locale
    again_url = url("account.send_again", link=link)
    page_url = url("account.show", link=link)
    page = render("errors/account_expired.html", locale, again_url=again_url, page_url=page_url)
    return page, 410


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a file, and close it."""
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _read(link: str) -> Account:
    return read_account(link, services().settings.server_keys)


def _open(link: str) -> _Opened:
    """Return what a link is for, or raise BadLink or ExpiredError."""
    account = _read(link)
    current, locale = load_preferences(account.subscriber_id)
    if account.expires_at <= services().clock():
        raise ExpiredError(locale)
    return _Opened(link, account.subscriber_id, current, locale)


def _complaint_page(opened: _Opened, note: str = "", problem: str = "") -> str:
    return _page(
        opened,
        "account_complain",
        note=note,
        problem=problem,
        max_length=MAX_LENGTH,
        days=ACKNOWLEDGE_WITHIN.days,
    )


def _page(opened: _Opened, template: str, **values: object) -> str:
    values.setdefault("page_url", url("account.show", link=opened.link))
    return render(
        f"subscriber/{template}.html",
        opened.locale,
        current=opened.current,
        account_url=url("account.show", link=opened.link),
        see_url=url("account.see", link=opened.link),
        take_url=url("account.take", link=opened.link),
        language_url=url("account.switch_language", link=opened.link),
        erase_url=url("account.ask_erase", link=opened.link),
        complain_url=url("account.ask_complaint", link=opened.link),
        preferences_url=preferences_url(opened.subscriber_id, "all", CAMPAIGN),
        **values,
    )
