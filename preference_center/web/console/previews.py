"""Pages and emails with the drafts of a language, in a frame of the console or a test email."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage

from flask import Response, abort, request
from werkzeug.wrappers import Response as AnyResponse

from preference_center.core import edited_texts, samples
from preference_center.core.errors import EditRefusal
from preference_center.core.samples import Sample
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, Right
from preference_center.i18n import Languages
from preference_center.i18n.brand import NO_LANGUAGE
from preference_center.outbound.transport import DeliveryError, SmtpTransport
from preference_center.web.console import once
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import to
from preference_center.web.console.samples import SHOWN, Shown, email, page
from preference_center.web.console.wording import offered
from preference_center.web.services import services

# The pages have no script. Emails have `style` attributes.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "frame-ancestors 'self'; base-uri 'none'; sandbox"
)
_SECONDS_TO_SEND = 10
_VIEW = ("show", "part", "width", "dark")  # In the query: what of a preview is looked at.
_SCHEME = re.compile(r"\(\s*prefers-color-scheme:\s*(light|dark)\s*\)")


@dataclass(frozen=True)
class View:
    """What of a preview is looked at: a page, or a part of an email, among those `offered`."""

    offered: Mapping[str, Shown]
    show: str
    part: str
    narrow: bool
    dark: bool
    can_send: bool

    @property
    def shown(self) -> Shown:
        """Return the page or the email."""
        return self.offered[self.show]

    @property
    def query(self) -> dict[str, str | None]:
        """Return what an address has to show the same; None is left out of it."""
        return {
            "show": self.show,
            "part": self.part,
            "width": "phone" if self.narrow else None,
            "dark": "1" if self.dark else None,
        }


def view(shown: Mapping[str, Shown]) -> View:
    """Return what the query asks to look at, by default the first of those to be shown."""
    name = request.args.get("show", "")
    return View(
        shown,
        name if name in shown else next(iter(shown)),
        "text" if request.args.get("part") == "text" else "html",
        request.args.get("width") == "phone",
        "dark" in request.args,
        services().settings.smtp_url is not None,
    )


def seen() -> dict[str, str]:
    """Return what of the query says what is looked at."""
    return {name: request.args[name] for name in _VIEW if name in request.args}


@blueprint.get("/wording/preview/<language>/<name>")
@staff_only(Right.WORDING)
def preview(language: str, name: str) -> Response:
    """Show a page, or a part of an email, as it would be with the drafts."""
    shown = _shown(language, name)
    languages, sample = _drafted(language)
    now, is_html = services().clock(), request.args.get("part") != "text"
    if shown.is_email:
        message = email(languages, language, shown, samples.EMAIL, sample, now)
        body = message.get_body(("html" if is_html else "plain",))
        text = body.get_content() if body is not None else ""
    else:
        text, is_html = page(languages, language, shown, sample, now), True
    if is_html:
        text = _in_scheme(text, dark="dark" in request.args)
    return Response(
        text,
        mimetype="text/html" if is_html else "text/plain",
        headers={"Content-Security-Policy": _POLICY},
    )


@blueprint.post("/wording/preview/<language>/<name>/send")
@staff_only(Right.WORDING)
def send_test(language: str, name: str) -> AnyResponse:
    """Send an email as it would be with the drafts, to the member who is signed in."""
    shown, settings, to_member = _shown(language, name), services().settings, member().email
    if not shown.is_email or settings.smtp_url is None:
        abort(404)
    languages, sample = _drafted(language)
    message = email(languages, language, shown, to_member, sample, services().clock())
    with services().database.transaction() as session:
        is_first = once.is_first(session)
    if is_first:
        _send(settings.smtp_url, message, to_member)
        details = {"email": name, "language": language}
        with services().database.transaction() as session:
            now = services().clock()
            audit.record(session, member().id, AuditAction.TEST_SENT, now, details=details)
    said = {"show": name, "said": "sent"}
    if text := request.form.get("message"):
        return to("console.edit_text", language=language, message=text, **said)
    return to("console.brand", lang=language, **said)


def _send(smtp_url: str, message: EmailMessage, to_member: str) -> None:
    """Send an email while no transaction is open."""
    transport = SmtpTransport(smtp_url, timeout=_SECONDS_TO_SEND)
    try:
        transport.send(message, services().settings.envelope_from, to_member)
    except DeliveryError as error:
        with services().database.transaction() as session:
            once.forget(session)
        raise EditRefusal(f"the test email was not sent: {error}") from None


def _shown(language: str, name: str) -> Shown:
    offered(language)
    return SHOWN.get(name) or abort(404)


def _drafted(language: str) -> tuple[Languages, Sample]:
    """Return the languages with the drafts of one of them and of the brand, and what to show."""
    now, zone, made = services().clock(), services().settings.time_zone, services().languages
    with services().database.reading() as session:
        for each in (language, NO_LANGUAGE):
            drafts = edited_texts.drafts(session, each)
            made = made.with_texts(each, {draft.english: draft.forms for draft in drafts})
        return made, samples.read(session, language, now, zone)


def _in_scheme(html: str, *, dark: bool) -> str:
    """Return a page as a browser shows it in a light or dark scheme, whatever the console's is."""
    wanted = "dark" if dark else "light"
    always, never = "(min-width:0)", "(max-width:0)"
    html = _SCHEME.sub(lambda found: always if found[1] == wanted else never, html)
    return re.sub(r"color-scheme:\s*light dark", f"color-scheme:{wanted}", html)
