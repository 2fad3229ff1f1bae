"""The demo's pages: a reader's inbox, the sender's next mailing, the report, and the doctor."""

from pathlib import Path
from urllib.error import HTTPError, URLError

from flask import Blueprint, Response, abort, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core import topics
from preference_center.data import report
from preference_center.demo import campaign, doctor_page, inbox, mailings, summary
from preference_center.demo.company import FOLDER, READER, TOPICS
from preference_center.util import resources
from preference_center.web.access import Caller, open_to
from preference_center.web.services import language, render, services, url

FOLDER_CONFIG = "DEMO_FOLDER"  # The application's config key for the folder of the demo.

blueprint = Blueprint("demo", __name__, url_prefix="/demo")

_FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self' {style}; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)


@blueprint.get("/")
@open_to(Caller.ANYONE)
def to_inbox() -> AnyResponse:
    """Redirect to the inbox."""
    return redirect(url_for("demo.show_inbox"))


@blueprint.get("/style.css")
@open_to(Caller.ANYONE)
def style() -> Response:
    """Return the demo's own style sheet, so that the subscriber pages keep theirs unchanged."""
    sheet = resources.read("static", "demo.css", services().settings.overrides_dir)
    return Response(sheet, mimetype="text/css")


@blueprint.get("/inbox")
@open_to(Caller.ANYONE)
def show_inbox() -> Response:
    """List the reader's emails, newest first, and the result of a mailing sent from this page."""
    sent = request.args.get("sent")
    mailing = next((each for each in mailings.newest(_folder()) if each.campaign == sent), None)
    return _page("demo/inbox.html", emails=inbox.list_emails(_inbox()), mailing=mailing)


@blueprint.get("/inbox/<name>")
@open_to(Caller.ANYONE)
def show_email(name: str) -> Response:
    """Show an email, with the mail program's own Unsubscribe button beside the sender."""
    return _page("demo/email.html", email=_email(name), pressed=request.args.get("pressed"))


@blueprint.get("/inbox/<name>/html")
@open_to(Caller.ANYONE)
def show_html(name: str) -> Response:
    """Return an email's HTML for its frame. Links open in a new tab."""
    html = _email(name).html.replace("<head>", '<head><base target="_blank">', 1)
    page = Response(html, mimetype="text/html")
    page.headers["Content-Security-Policy"] = _FRAME_POLICY
    return page


@blueprint.get("/inbox/<name>/source")
@open_to(Caller.ANYONE)
def show_source(name: str) -> Response:
    """Show an email's source, including its headers."""
    return _page("demo/source.html", email=_email(name))


@blueprint.post("/inbox/<name>/unsubscribe")
@open_to(Caller.ANYONE)
def press_unsubscribe(name: str) -> AnyResponse:
    """Post to the unsubscribe URL, as a mailbox provider does for its reader (RFC 8058)."""
    address = _email(name).unsubscribe_url
    if address is None:
        abort(404)
    try:
        status = inbox.press_unsubscribe(address)
    except HTTPError as error:
        status = error.code
    except URLError:
        status = 0
    return redirect(url("demo.show_email", name=name, pressed=status), 303)


@blueprint.post("/next-mailing")
@open_to(Caller.ANYONE)
def next_mailing() -> AnyResponse:
    """Send the next mailing of a topic, and return to the inbox."""
    return redirect(url("demo.show_inbox", sent=_send().campaign), 303)


@blueprint.get("/mailing")
@open_to(Caller.ANYONE)
def show_mailing() -> Response:
    """Show the newest mailing, the people it left out and why, and the mailings before it."""
    return _page("demo/mailing.html", mailings=mailings.newest(_folder()))


@blueprint.post("/mailing")
@open_to(Caller.ANYONE)
def send_mailing() -> AnyResponse:
    """Send the next mailing of a topic, and show its result."""
    _send()
    return redirect(url("demo.show_mailing"), 303)


@blueprint.get("/report")
@open_to(Caller.ANYONE)
def show_report() -> Response:
    """Show the report on all mailings."""
    with services().database.reading() as session:
        reports = summary.by_topic(report.rows(session))
    return _page("demo/report.html", reports=reports, columns=report.EVENT_COLUMNS, folder=FOLDER)


@blueprint.route("/doctor", methods=["GET", "POST"])
@open_to(Caller.ANYONE)
def show_doctor() -> Response:
    """Judge a pasted message, as `preference-center doctor` does."""
    return _page("demo/doctor.html", **doctor_page.values(services().settings, _inbox()))


def _send() -> mailings.SentMailing:
    topic = request.form.get("topic", "")
    if topic not in {new.slug for new in TOPICS}:
        abort(404)
    settings, database, languages = services().settings, services().database, services().languages
    return campaign.Sender(settings, database, languages, _folder()).send(topic, services().clock())


def _folder() -> Path:
    return Path(current_app.config[FOLDER_CONFIG])


def _inbox() -> Path:
    return inbox.inbox_folder(_folder())


def _email(name: str) -> inbox.Email:
    return inbox.find_email(_inbox(), name) or abort(404)


def _page(template: str, **values: object) -> Response:
    locale, today = language(), services().clock().date()
    with services().database.reading() as session:
        names = {topic.slug: topics.name(topic, locale) for topic in topics.list_topics(session)}
    slug = TOPICS[0].slug
    latest = campaign.latest_campaign(_folder(), slug)
    links = services().settings.minter().mint(READER, slug, latest, day=today)
    page = render(
        template,
        locale,
        reader=READER,
        topics=[new.slug for new in TOPICS],
        names=names,
        today=today,
        preferences_url=links.preferences_url,
        endpoint=request.endpoint,
        **values,
    )
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY.format(style=services().style_source)
    return response
