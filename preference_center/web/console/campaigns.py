"""What each mailing cost: a table of them, and a page of each."""

from flask import abort

from preference_center.core.figures import mailings
from preference_center.core.figures.mailings import MAX_SHOWN, MailingOrder
from preference_center.core.figures.period import Span
from preference_center.core.staff_vocab import Right
from preference_center.web.console import charts, selection
from preference_center.web.console.blueprint import blueprint, staff_only
from preference_center.web.console.rendering import page
from preference_center.web.services import services


@blueprint.get("/campaigns")
@staff_only(Right.FIGURES)
def campaigns() -> str:
    """Show the mailings of a span, the newest or those with the highest rates first."""
    period, topic = selection.period(Span.QUARTER), selection.text("topic")
    order = selection.choice("order", tuple(MailingOrder)) or MailingOrder.DATE
    with services().database.reading() as session:
        found = mailings.load(session, period, topic, order)
    return page(
        "campaigns.html",
        period=period,
        topic=topic,
        order=order,
        orders=tuple(MailingOrder),
        spans=tuple(Span),
        mailings=found,
        max_shown=MAX_SHOWN,
    )


@blueprint.get("/campaigns/mailing")
@staff_only(Right.FIGURES)
def mailing() -> str:
    """Show when, how and why people left by one mailing. A name may be `..`, so it is no path."""
    period = selection.period(Span.QUARTER)
    topic, campaign = selection.text("topic"), selection.text("campaign")
    with services().database.reading() as session:
        found = mailings.one(session, period, topic or "", campaign or "")
    if found is None:
        abort(404)
    return page(
        "mailing.html",
        period=period,
        spans=tuple(Span),
        found=found,
        mailing=found.mailing,
        left=charts.bars(found.days, period.today).noted(found.notes),
    )
