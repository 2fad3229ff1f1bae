"""HubSpot: the export of contacts, and that of unsubscribes and bounces.

A column about a subscription type is true if the person opted out of it. False or an empty cell
is not consent.
"""

import re
from collections.abc import Iterator

from preference_center.data.formats.base import Cells, Column, Format, Variant, names_of
from preference_center.data.formats.meaning import FALSE, TRUE, Meaning, Statement, when_true
from preference_center.data.tabular import fold

_TYPE = re.compile(r"(?:opted out of email: *|hs_email_optout_)(.+)")
_PORTAL = names_of("Portal Bounce", "Portal Unsubscribe", "Portal Spam Report", "Global Bounce")
# Columns of the export of unsubscribes that are not subscription types.
_NO_TYPES = _PORTAL | names_of(
    *("Email", "Record ID", "Contact ID", "First Name", "Last Name", "Create Date"),
    "Unsubscribed from all email",
)


def _opted_out_of(cells: Cells) -> Iterator[Statement]:
    """Yield a stop for each subscription type that a person opted out of."""
    has_portal = len(_PORTAL & {fold(name) for name in cells}) > 1
    for name, cell in cells.items():
        found, word = _TYPE.fullmatch(name), fold(cell)
        if found is not None:
            if word not in ("", *FALSE):  # An unknown word is a stop too.
                yield Statement(Meaning.UNSUBSCRIBED, (found[1],))
        elif has_portal and fold(name) not in _NO_TYPES and word in TRUE:
            yield Statement(Meaning.UNSUBSCRIBED, (name,))


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
        Column(
            ("unsubscribedfromallemail", "portalunsubscribe", "hsemailoptout"),
            when_true(Meaning.UNSUBSCRIBED_ALL),
            other=Meaning.UNSUBSCRIBED_ALL,
            is_reported=True,
        ),
        _bounce("portalbounce", "globalbounce", "emailhardbouncereason"),
        Column(
            ("portalspamreport",),
            when_true(Meaning.COMPLAINED),
            other=Meaning.COMPLAINED,
            is_reported=True,
        ),
        Column(
            ("marketingcontactstatus",),
            {"marketingcontact": Meaning.UNSTATED} | when_true(Meaning.UNSTATED),
            other=Meaning.KNOWN,
        ),
    ),
    by_topic=_opted_out_of,
    harmless="optedoutofemail.*|hsemailoptout.*|createdate|recordid"
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
