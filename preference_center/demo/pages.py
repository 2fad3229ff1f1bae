"""The demo's pages: a mail program with one reader's inbox, and a button for the next mailing."""

from pathlib import Path
from urllib.error import HTTPError, URLError

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center import resources
from preference_center.demo import campaign, inbox
from preference_center.demo.company import READER, TOPICS
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services

blueprint = Blueprint("demo", __name__, url_prefix="/demo")

_FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)


@blueprint.get("/")
@open_to(Caller.ANYONE)
def start() -> AnyResponse:
    """Lead to the inbox."""
    return redirect(url_for("demo.show_inbox"))


@blueprint.get("/style.css")
@open_to(Caller.ANYONE)
def style() -> Response:
    """Return the mail program's own sheet, so that a subscriber's pages are as they always are."""
    sheet = resources.read("static", "demo.css", services().settings.overrides)
    return Response(sheet, mimetype="text/css")


@blueprint.get("/inbox")
@open_to(Caller.ANYONE)
def show_inbox() -> Response:
    """List the reader's mails, newest first."""
    return _page("demo/inbox.html", mails=inbox.mails(_folder()), said=_said())


@blueprint.get("/inbox/<name>")
@open_to(Caller.ANYONE)
def show_mail(name: str) -> Response:
    """Show a mail with the mail program's own Unsubscribe beside its sender."""
    return _page("demo/mail.html", mail=_mail(name), pressed=request.args.get("pressed"))


@blueprint.get("/inbox/<name>/html")
@open_to(Caller.ANYONE)
def show_html(name: str) -> Response:
    """Return a mail's HTML for the frame it is shown in, its links leading out of that frame."""
    html = _mail(name).html.replace("<head>", '<head><base target="_blank">', 1)
    page = Response(html, mimetype="text/html")
    page.headers["Content-Security-Policy"] = _FRAME_POLICY
    return page


@blueprint.get("/inbox/<name>/source")
@open_to(Caller.ANYONE)
def show_source(name: str) -> Response:
    """Show a mail as it was sent, headers and all."""
    return _page("demo/source.html", mail=_mail(name))


@blueprint.post("/inbox/<name>/unsubscribe")
@open_to(Caller.ANYONE)
def press_unsubscribe(name: str) -> AnyResponse:
    """Do what a mailbox provider does when its reader presses Unsubscribe (RFC 8058)."""
    address = _mail(name).unsubscribe_url
    if address is None:
        abort(404)
    try:
        status = inbox.press_unsubscribe(address)
    except HTTPError as error:
        status = error.code
    except URLError:
        status = 0
    return redirect(url_for("demo.show_mail", name=name, pressed=status), 303)


@blueprint.post("/next-mailing")
@open_to(Caller.ANYONE)
def next_mailing() -> AnyResponse:
    """Send the next mailing of a topic, and say how many were left out."""
    topic = request.form.get("topic", "")
    if topic not in {new.slug for new in TOPICS}:
        abort(404)
    wired = services()
    counts = campaign.send(wired.settings, wired.database, wired.languages, topic, wired.clock())
    left = counts["unsubscribed"] + counts["suppressed"]
    never = counts["not_subscribed"]
    inbox_url = url_for(
        "demo.show_inbox", topic=topic, sent=counts["allow"], left=left, never=never
    )
    return redirect(inbox_url, 303)


def _said() -> dict[str, str | int] | None:
    """Return what the last mailing did, as the redirect carries it."""
    names = {new.slug: new.name for new in TOPICS}
    topic = names.get(request.args.get("topic", ""))
    if topic is None:
        return None
    told = {name: request.args.get(name, 0, int) for name in ("sent", "left", "never")}
    return {"topic": topic, **told}


def _folder() -> Path:
    return campaign.mail_folder(services().settings)


def _mail(name: str) -> inbox.Mail:
    return inbox.mail(_folder(), name) or abort(404)


def _page(template: str, **values: object) -> Response:
    page = Response(
        render(template, language(), reader=READER, topics=TOPICS, **values), mimetype="text/html"
    )
    page.headers["Content-Security-Policy"] = _PAGE_POLICY
    return page
