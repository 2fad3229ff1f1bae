"""Why people leave: how often each reason was given, and what they wrote."""

from preference_center.core.figures import reasons as figures
from preference_center.core.figures.period import Span
from preference_center.core.figures.reasons import NoteFilter
from preference_center.core.staff_vocab import Right
from preference_center.core.vocab import ReasonCode
from preference_center.web.console import selection
from preference_center.web.console.blueprint import blueprint, member, staff_only
from preference_center.web.console.rendering import page
from preference_center.web.services import services

_EVERYTHING = "*"  # In the query: those who left everything at once.


@blueprint.get("/reasons")
@staff_only(Right.FIGURES)
def reasons() -> str:
    """Show how often each reason was given, by topic."""
    period = selection.period(Span.QUARTER)
    with services().database.reading() as session:
        found = figures.load(session, period)
    return page(
        "reasons.html",
        period=period,
        spans=tuple(Span),
        reasons=found,
        codes=tuple(ReasonCode),
        everything=_EVERYTHING,
    )


@blueprint.get("/reasons/notes")
@staff_only(Right.PERSON)
def notes() -> str:
    """Show what people wrote, and record that the member has read it."""
    period = selection.period(Span.QUARTER)
    topic, code = selection.text("topic"), selection.choice("reason", tuple(ReasonCode))
    wanted = NoteFilter("" if topic == _EVERYTHING else topic, code)
    after = selection.text("after")
    with services().database.transaction() as session:
        found = figures.read_notes(session, period, wanted, after, by=member().id)
    return page(
        "notes.html",
        period=period,
        spans=tuple(Span),
        topic=topic,
        code=code,
        codes=tuple(ReasonCode),
        found=found,
        everything=_EVERYTHING,
    )
