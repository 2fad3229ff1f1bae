"""The reasons that pages offer to those who leave: their texts, their order, and which of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import abort, request
from werkzeug.wrappers import Response

from preference_center.core import offered_reasons
from preference_center.core.offered_reasons import CAN_BE_OFFERED
from preference_center.core.staff_vocab import ReasonMove, Right
from preference_center.core.vocab import ReasonCode
from preference_center.i18n.edited import key_of
from preference_center.web.console import samples
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.previews import seen, view
from preference_center.web.console.rendering import page, to
from preference_center.web.console.wording import editable, offered
from preference_center.web.services import services

_PREVIEWED = ("goodbye",)


@dataclass(frozen=True)
class ListedReason:
    """A reason with its text. Without a `message`, the text cannot be edited."""

    code: ReasonCode
    text: str
    message: str | None


@blueprint.get("/reasons/offered")
@staff_only(Right.WORDING)
def offered_reasons_page() -> str:
    """Show the reasons in their order, with their texts in a language, and those not offered."""
    code = _language()
    with services().database.reading() as session:
        found = offered_reasons.read(session)
    return page(
        "offered_reasons.html",
        code=code,
        editable=editable(),
        offered=_listed(found, code),
        hidden=_listed((each for each in CAN_BE_OFFERED if each not in found), code),
        view=view({name: samples.SHOWN[name] for name in _PREVIEWED}),
    )


@blueprint.post("/reasons/offered/<reason>")
@staff_only(Right.WORDING)
def change_reason(reason: str) -> Response:
    """Move a reason, hide it or show it. This process does so at once, others soon."""
    try:
        code, move = ReasonCode(reason), ReasonMove(request.form.get("to", ""))
    except ValueError:
        abort(404)
    with services().database.transaction() as session:
        offered_reasons.change(session, code, move, by=member().id, now=services().clock())
    services().languages.refresh()
    return to("console.offered_reasons_page", lang=_language(), **seen(), _anchor=code)


def _listed(reasons: Iterable[ReasonCode], code: str) -> list[ListedReason]:
    """Return the reasons with their texts in a language."""
    languages = services().languages
    plain = languages.without_edits()
    found = []
    for each in reasons:
        english = plain.render("en", "console/reason.txt", code=each).strip()
        message = languages.messages.get(key_of((english,)))
        if message is None:  # A template of the operator's own has it without gettext.
            found.append(ListedReason(each, english, None))
        else:
            text = languages.current(code, message.english)[0]
            found.append(ListedReason(each, text, message.key))
    return found


def _language() -> str:
    return offered(request.args.get("lang", editable()[0]))
