"""The demo's pages: a reader's inbox, the sender's next mailing, and the report."""

from pathlib import Path
from urllib.error import HTTPError, URLError

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core import topics
from preference_center.data import report
from preference_center.demo import campaign, doctor_page, inbox, mailings, summary
from preference_center.demo.company import FOLDER, READER, TOPICS
from preference_center.util import resources
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url

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
    """Return the demo's own sheet, so that a subscriber's pages are as they always are."""
    sheet = resources.read("static", "demo.css", services().settings.overrides_dir)
    return Response(sheet, mimetype="text/css")


@blueprint.get("/inbox")
@open_to(Caller.ANYONE)
def show_inbox() -> Response:
    """List the reader's mails, newest first, and what the mailing did that was sent from here."""
    said = next((each for each in _noted() if each.campaign == request.args.get("sent")), None)
    return _page("demo/inbox.html", mails=inbox.mails(_mail_folder()), said=said)


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
    return redirect(url("demo.show_mail", name=name, pressed=status), 303)


@blueprint.post("/next-mailing")
@open_to(Caller.ANYONE)
def next_mailing() -> AnyResponse:
    """Send the next mailing of a topic, and return to the inbox."""
    return redirect(url("demo.show_inbox", sent=_send().campaign), 303)


@blueprint.get("/mailing")
@open_to(Caller.ANYONE)
def show_mailing() -> Response:
    """Show whom the newest mailing left out and why, and the ones before it."""
    return _page("demo/mailing.html", sent=_noted())


@blueprint.post("/mailing")
@open_to(Caller.ANYONE)
def send_mailing() -> AnyResponse:
    """Send the next mailing of a topic, and show whom it left out."""
    _send()
    return redirect(url("demo.show_mailing"), 303)


@blueprint.get("/report")
@open_to(Caller.ANYONE)
def show_report() -> Response:
    """Show what the mailings led to."""
    with services().database.reading() as session:
        reports = summary.by_topic(report.rows(session))
    return _page("demo/report.html", reports=reports, acts=report.EVENT_COLUMNS, folder=FOLDER)


@blueprint.route("/doctor", methods=["GET", "POST"])
@open_to(Caller.ANYONE)
def show_doctor() -> Response:
    """Judge a message that is pasted, as `preference-center doctor` does."""
    return _page("demo/doctor.html", **doctor_page.values(services().settings, _mail_folder()))


def _send() -> mailings.Mailed:
    topic = request.form.get("topic", "")
    if topic not in {new.slug for new in TOPICS}:
        abort(404)
    wired = services()
    sender = campaign.Sender(wired.settings, wired.database, wired.languages)
    return sender.send(topic, wired.clock())


def _noted() -> list[mailings.Mailed]:
    return mailings.noted(campaign.demo_folder(services().settings))


def _mail_folder() -> Path:
    return campaign.mail_folder(services().settings)


def _mail(name: str) -> inbox.Mail:
    return inbox.mail(_mail_folder(), name) or abort(404)


def _page(template: str, **values: object) -> Response:
    wired, locale = services(), language()
    with wired.database.reading() as session:
        names = {topic.slug: topics.name(topic, locale) for topic in topics.list_topics(session)}
    slug = TOPICS[0].slug
    latest = campaign.latest_campaign(wired.settings, slug)
    links = wired.settings.minter().mint(READER, slug, latest, day=wired.clock().date())
    page = render(
        template,
        locale,
        reader=READER,
        topics=[new.slug for new in TOPICS],
        names=names,
        today=wired.clock().date(),
        preferences_url=links.preferences_url,
        endpoint=request.endpoint,
        **values,
    )
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    return response
