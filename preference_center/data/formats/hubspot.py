"""HubSpot: the export of contacts, and that of unsubscribes and bounces.

A column about a subscription type is true if the person opted out of it. False or an empty cell
is not consent.
"""

import re
from collections.abc import Iterator

from preference_center.data.formats.base import (
    Cells,
    Column,
    Format,
    Variant,
    folded_name,
    names_of,
    opt_out_column,
)
from preference_center.data.formats.meaning import FALSE, Meaning, Statement, is_opt_out, when_true

# The beginning of the name of a column about a type, by its letters.
_TYPE = re.compile(
    r"(?:opted#out#of#e#mail|hs#e#mail#opt#out)#(.*)".replace("#", r"[\W_]*"), re.DOTALL
)
_PORTAL = names_of("Portal Bounce", "Portal Unsubscribe", "Portal Spam Report", "Global Bounce")
# Columns of the export of unsubscribes that are not subscription types.
_NO_TYPES = _PORTAL | names_of(
    *("Email", "Record ID", "Contact ID", "First Name", "Last Name", "Create Date"),
    "Unsubscribed from all email",
)


def _type(name: str) -> str:
    """Return the subscription type in the name of a column of the export of contacts, or ""."""
    found = _TYPE.fullmatch(name)
    return found[1].strip() if found else ""


def _opted_out_of(cells: Cells) -> Iterator[Statement]:
    """Yield a stop for each subscription type that a person opted out of."""
    has_portal = len(_PORTAL & set(map(folded_name, cells))) > 1
    for name, cell in cells.items():
        is_rest = has_portal and folded_name(name) not in _NO_TYPES
        if (topic := _type(name) or (name if is_rest else "")) and is_opt_out(cell):
            yield Statement(Meaning.UNSUBSCRIBED, (topic,))


def _bounce(*names: str) -> Column:
    """Return a column that holds false, true, or the reason for a bounce."""
    return Column(names, dict.fromkeys(FALSE, Meaning.UNSTATED), other=Meaning.BOUNCED)


HUBSPOT = Format(
    name="hubspot",
    title="HubSpot",
    variants=(
        Variant(names_of("Email"), _PORTAL, 2, reads_rest=True),
        Variant(names_of("Record ID", "Email", "Unsubscribed from all email")),
        Variant(names_of("Email", "Unsubscribed from all email")),
        Variant(names_of("Email", "hs_email_optout")),
        Variant(names_of("Record ID", "Email", "Create Date")),
    ),
    columns=(
        opt_out_column(
            *("unsubscribedfromallemail", "portalunsubscribe", "hsemailoptout", "optedoutofemail")
        ),
        _bounce("portalbounce", "globalbounce", "emailhardbouncereason"),
        opt_out_column("portalspamreport", meaning=Meaning.COMPLAINED),
        Column(
            ("marketingcontactstatus",),
            {"marketingcontact": Meaning.UNSTATED} | when_true(Meaning.UNSTATED),
            other=Meaning.KNOWN,
        ),
    ),
    by_topic=_opted_out_of,
    is_by_topic=lambda name: bool(_type(name)),
    harmless="createdate|recordid"
    "|marketingemails(bounced|clicked|delivered|opened|replied|sent|sincelastengagement)"
    "|(first|last)marketingemail(click|open|reply|send)date|lastmarketingemailname",
    blind_spots=(
        "An empty or false opt-out column is no consent. With --status subscribed, you say that "
        "everyone who did not opt out agreed to get the topic of --topic.",
        "The export of contacts leaves out deleted contacts. The export of unsubscribes and "
        "bounces has them: import it too.",
        "Without the column `Unsubscribed from all email` and those of the subscription types, it "
        "does not say who opted out.",
        "It does not say when a person opted out.",
    ),
)
