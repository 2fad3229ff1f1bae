"""What each mailing cost: a table of them, also as CSV, and a page of each."""

from io import StringIO

from flask import Response, abort

from preference_center.core.figures import mailings
from preference_center.core.figures.mailings import (
    MAX_SHOWN,
    UNSUBSCRIBED,
    Mailing,
    MailingOrder,
)
from preference_center.core.figures.period import Period, Span
from preference_center.core.report_counts import EMAILED
from preference_center.core.staff_vocab import Right
from preference_center.data.tabular import CsvWriter
from preference_center.web.console import charts, selection
from preference_center.web.console.blueprint import blueprint, staff_only
from preference_center.web.console.rendering import page
from preference_center.web.services import services

_COLUMNS = ("topic", "campaign", "first_day", "per_thousand", "low", "high")
_COUNTS = (
    *(UNSUBSCRIBED, EMAILED, "opened", "left_everything", "left_complaint", "left_bounce"),
    *("reduced", "paused", "undone"),
)


@blueprint.get("/campaigns")
@staff_only(Right.FIGURES)
def campaigns() -> str:
    """Show the mailings of a span, the newest or those with the highest rates first."""
    wanted = _wanted()
    with services().database.reading() as session:
        found = mailings.load(session, *wanted)
    period, topic, order = wanted
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


@blueprint.get("/campaigns.csv")
@staff_only(Right.FIGURES)
def campaigns_csv() -> Response:
    """Return the same mailings as CSV, all of them. It has no addresses."""
    period, topic, order = _wanted()
    with services().database.reading() as session:
        found = mailings.load(session, period, topic, order, at_most=None)
    file = StringIO(newline="")
    writer = CsvWriter(file, (*_COLUMNS, *_COUNTS), escape=True)
    for each in found.shown:
        writer.write(_cells(each))
    response = Response(file.getvalue(), mimetype="text/csv")
    named = "-".join(filter(None, ("campaigns", topic, str(period.first), str(period.today))))
    response.headers.set("Content-Disposition", "attachment", filename=f"{named}.csv")
    return response


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


def _wanted() -> tuple[Period, str | None, MailingOrder]:
    """Return the span, the topic and the order that are asked for."""
    order = selection.choice("order", tuple(MailingOrder)) or MailingOrder.DATE
    return selection.period(Span.QUARTER), selection.text("topic"), order


def _cells(mailing: Mailing) -> dict[str, object]:
    """Return the cells of a mailing by column. Those of a rate are empty for too few emails."""
    rate = mailing.rate
    rates = (rate.per_thousand, rate.low, rate.high) if rate is not None else ()
    cells = (mailing.topic, mailing.campaign, mailing.first_day or "", *(f"{x:.1f}" for x in rates))
    return {
        **dict(zip(_COLUMNS, cells, strict=False)),
        **{name: mailing.counts[name] for name in _COUNTS},
    }
