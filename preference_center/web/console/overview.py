"""The first page of the console: the figures of a span, and whether anything is wrong."""

from preference_center.core.figures import overview as figures
from preference_center.core.figures.period import Span
from preference_center.core.staff_vocab import Right
from preference_center.core.vocab import Frequency
from preference_center.web.console import charts, selection
from preference_center.web.console.blueprint import blueprint, staff_only
from preference_center.web.console.rendering import page
from preference_center.web.services import services

_SPANS = (Span.WEEK, Span.MONTH, Span.QUARTER)


@blueprint.get("/")
@staff_only(Right.FIGURES)
def overview() -> str:
    """Show the figures."""
    period = selection.period(Span.MONTH, _SPANS)
    with services().database.reading() as session:
        found = figures.load(session, period)
    days, today = found.daily.days, period.today
    return page(
        "overview.html",
        figures=found,
        spans=_SPANS,
        frequencies=list(Frequency),
        subscribers=charts.line([(each.day, each.subscribers) for each in days], today).noted(
            found.notes
        ),
        left=charts.bars([(each.day, each.left) for each in days], today).noted(found.notes),
    )
