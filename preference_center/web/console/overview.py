"""The first page of the console: the figures of the morning."""

from preference_center.core.staff_vocab import Right
from preference_center.web.console.blueprint import blueprint, staff_only
from preference_center.web.console.rendering import page


@blueprint.get("/")
@staff_only(Right.FIGURES)
def overview() -> str:
    """Show the figures."""
    return page("overview.html")
