"""The demo's pages: the tour, a reader's inbox, the next mailing, the report, and the doctor."""

from functools import partial
from pathlib import Path
from uuid import UUID

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preference_center.demo import (
    campaign,
    inbox,
    mailings,
    outage,
    rendering,
    summary,
    tampering,
    tour,
    visitor,
    webhook,
)
from preference_center.demo.company import FOLDER, READER, TOPICS
from preference_center.demo.visitor import Visitor
from preference_center.util import resources
from preference_center.web.access import Caller, open_to
from preference_center.web.services import services, url

blueprint = Blueprint("demo", __name__, url_prefix="/demo")
blueprint.register_blueprint(webhook.blueprint)

_FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


@open_to(Caller.ANYONE)
def to_start() -> AnyResponse:
    """Redirect to the start page."""
    return redirect(url_for("demo.show_start"))


@blueprint.get("/")
@open_to(Caller.ANYONE)
def show_start() -> Response:
    """Show the six steps, each ticked once it is done."""
    app = services()
    # First the spool: what leaves it later is not in the session's snapshot.
    waiting = app.spool.state().rows if app.spool is not None else 0
    with app.database.reading() as session:
        steps = tour.load(session, rendering.folder(), _reader_id(), waiting, app.clock())
    return rendering.page("demo/start.html", tour=steps, refreshes=steps.changing)


@blueprint.route("/<path:path>", methods=["GET", "POST"])
@open_to(Caller.ANYONE)
def show_nothing(path: str) -> AnyResponse:
    """Answer 404 to any other path."""
    abort(404)


@blueprint.errorhandler(404)
def not_found(_error: Exception) -> tuple[Response, int]:
    """Show a page that leads back to the demo, without the product's form for a new link."""
    return rendering.page("demo/not_found.html"), 404


@blueprint.post("/ledger/alter")
@open_to(Caller.ANYONE)
def alter_row() -> AnyResponse:
    """Alter the reader's newest ledger row in the database."""
    tampering.alter(services().database, rendering.folder(), _reader_id(), _reader().rows[-1].seq)
    return _to_step(4)


@blueprint.post("/ledger/restore")
@open_to(Caller.ANYONE)
def restore_row() -> AnyResponse:
    """Put the altered ledger row back."""
    tampering.restore(services().database, rendering.folder(), _reader_id())
    return _to_step(4)


@blueprint.post("/outage")
@open_to(Caller.ANYONE)
def start_outage() -> AnyResponse:
    """Lock the database for ten seconds, and unsubscribe by one-click meanwhile."""
    app = services()
    email = tour.email_to_press(_reader(), inbox.list_emails(_inbox()))
    file = app.database.engine.url.database
    if app.spool is None or email is None or email.unsubscribe_url is None or file is None:
        abort(404)
    press = partial(inbox.press_unsubscribe, email.unsubscribe_url)
    outage.start(rendering.folder(), Path(file), app.spool, app.clock, email.topic, press)
    return _to_step(5)


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
    mailing = next(
        (each for each in mailings.newest(rendering.folder()) if each.campaign == sent), None
    )
    emails, reader = inbox.list_emails(_inbox()), _reader()
    return rendering.page(
        "demo/inbox.html", emails=emails, mailing=mailing, refreshes=reader.is_email_due
    )


@blueprint.get("/inbox/<name>")
@open_to(Caller.ANYONE)
def show_email(name: str) -> Response:
    """Show an email, with the email program's own Unsubscribe button beside the sender."""
    email, reader = _email(name), _reader()
    ended = next((row for row in reversed(reader.asked_for_less) if row.touches(email.topic)), None)
    since = ended.recorded_at if ended is not None else services().clock()
    return rendering.page(
        "demo/email.html",
        email=email,
        is_received=email.topic in reader.received,
        pressed=request.args.get("pressed"),
        confirmation=inbox.confirmation(inbox.list_emails(_inbox()), since),
        refreshes=reader.is_email_due,
    )


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
    email = _email(name)
    return rendering.page("demo/source.html", email=email, parts=inbox.marked_headers(email.source))


@blueprint.post("/inbox/<name>/unsubscribe")
@open_to(Caller.ANYONE)
def press_unsubscribe(name: str) -> AnyResponse:
    """Post to the unsubscribe URL, as a mailbox provider does for its reader (RFC 8058)."""
    address = _email(name).unsubscribe_url or abort(404)
    status = inbox.press_unsubscribe(address)
    return redirect(url("demo.show_email", name=name, pressed=status), 303)


@blueprint.post("/next-mailing")
@open_to(Caller.ANYONE)
def next_mailing() -> AnyResponse:
    """Send the next mailing of a topic, and return to the inbox."""
    return redirect(url("demo.show_inbox", sent=_send().campaign), 303)


@blueprint.post("/start-mailing")
@open_to(Caller.ANYONE)
def send_from_start() -> AnyResponse:
    """Send the next mailing of a topic, and return to the start page."""
    _send()
    return _to_step(3)


@blueprint.get("/mailing")
@open_to(Caller.ANYONE)
def show_mailing() -> Response:
    """Show the newest mailing, the people it left out and why, and the mailings before it."""
    return rendering.page("demo/mailing.html", mailings=mailings.newest(rendering.folder()))


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
        found = summary.load(session)
    return rendering.page("demo/report.html", summary=found, columns=summary.COLUMNS, folder=FOLDER)


@blueprint.route("/doctor", methods=["GET", "POST"])
@open_to(Caller.ANYONE)
def show_doctor() -> Response:
    """Judge a pasted message, as `preference-center doctor` does."""
    from preference_center.demo import doctor_page  # Imports dnspython, which takes 0.15 s.

    return rendering.page("demo/doctor.html", **doctor_page.values(services()))


def _send() -> mailings.SentMailing:
    topic = request.form.get("topic", "")
    if topic not in {new.slug for new in TOPICS}:
        abort(404)
    settings, database, languages = services().settings, services().database, services().languages
    return campaign.Sender(settings, database, languages, rendering.folder()).send(
        topic, services().clock()
    )


def _to_step(number: int) -> AnyResponse:
    return redirect(url("demo.show_start", _anchor=f"step-{number}"), 303)


def _reader_id() -> UUID:
    return services().settings.minter().subscriber_id(READER)


def _reader() -> Visitor:
    with services().database.reading() as session:
        return visitor.load(session, _reader_id())


def _inbox() -> Path:
    return inbox.inbox_folder(rendering.folder())


def _email(name: str) -> inbox.Email:
    return inbox.find_email(_inbox(), name) or abort(404)
