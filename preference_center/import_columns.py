"""Which columns `import` reads, under which names, and which ones it must not overlook.

Names are compared by their letters and digits alone: `E-mail` and `EMAIL` are `email`. A column
that is not read, and that may say who opted out, must never be passed over in silence: the people
in it would be subscribed.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from preference_center.core.vocab import ImportStatus
from preference_center.rows import FileRefusedError

PREFERENCES = (
    *("email", "id", "topic", "status", "frequency", "paused_until", "locale"),
    *("consent_at", "consent_source", "consent_wording", "basis", "acquired_from"),
    *("changed_at", "changed_by"),
)
SUPPRESSIONS = ("email", "id", "kind", "topic", "since", "source", "erased_at")

_ALIASES = {"emailaddress": "email", "subscriberid": "id"}

# Parts of a name, without accents, that are about opting out.
_ABOUT_OPTING_OUT = re.compile(
    "unsub|opt(ed|ing)?out|blacklist|blocklist|denylist|blocked|banned|suppress|bounce|complain|spam"
    "|abuse|donot|dont|noe?mail|disabled|deleted|removed|excluded|invalid|deliverab|unreach|verdict"
    "|inactive|inaktiv|inactif|statut|estado|stato|deactiv|deaktiv|desactiv|cancel|gekundig|kundigung"
    "|austritt|ausgetrag|sperre|sperrlist|werbung|robinson|geloscht|unzustell|beschwerde|opposition"
    "|refus|resili|listenoire|baja|suspend|undeliver|objection|churn"
    "|revoked|withdr|status|abmeld|abgemeld|abbestell|widerr|gesperrt|desabonn|desinscr"
    "|disiscr|afgemeld|uitgeschr"
)
# Parts that are about a consent which can also be missing, unless the name is that of a time.
_ABOUT_CONSENT = re.compile(
    "subscribed|subscription|opt(ed)?in|consent|permission|marketing|newsletter|accepts|preference"
    "|confirm|allow|receive|wants|einwilligung|zustimm|abonn|angemeldet|inscrit|iscritt|suscri"
    "|mailable|contactable|activated"
)
_WORDS = {
    "stop",
    "stopped",
    "clean",
    "cleaned",
    "dnc",
    "active",
    "enabled",
    "subscribe",
    "aktiv",
    "actif",
}
_TIMES = {"at", "date", "ip", "on", "since", "time", "timestamp"}
_MAX_WORD = 40  # characters of a cell that may be one of the words below

# What a cell of a column that is not read must not say of a person who is to be subscribed.
_OPTED_OUT = {
    *("unsubscribe", "unsubscribed", "unsub", "optout", "optedout", "blocked", "blacklisted"),
    *("blocklisted", "suppressed", "bounced", "bounce", "hardbounce", "cleaned", "complained"),
    *("complaint", "spam", "spamcomplaint", "spamreport", "undeliverable", "unreachable"),
    *("cancelled", "canceled", "donotcontact", "donotemail", "usersuppressed", "invalidemail"),
    *("inactive", "unconfirmed", "unactivated", "removed", "deleted", "nomail", "desabonne"),
    *(
        "abgemeldet",
        "disiscritto",
        "dadodebaja",
        "naunsubscribedbyadmin",
        "naunsubscribedbyanadmin",
    ),
}


@dataclass(frozen=True)
class Columns:
    """How the columns of a file, or of a line of JSON Lines, are read.

    `read` has the file's name for each of our columns. `unread` are the others that were not
    ignored; of these, `suspects` may say who opted out.
    """

    read: Mapping[str, str]
    unread: tuple[str, ...]
    suspects: tuple[str, ...]

    def opted_out(self, cells: Mapping[str, str]) -> str | None:
        """Return the first column that is not read and says that this person opted out."""
        short = (name for name in self.unread if len(cells[name]) <= _MAX_WORD)
        return next((name for name in short if _says_so(cells[name])), None)


def _says_so(cell: str) -> bool:
    """Return True if a cell, or a word in a list such as one of tags, says that a person left."""
    return any(_fold(each) in _OPTED_OUT for each in (cell, *re.split("[,;|]", cell)))


@lru_cache(maxsize=64)
def match(
    names: tuple[str, ...],
    ignored: frozenset[str] = frozenset(),
    columns: tuple[str, ...] = PREFERENCES,
) -> Columns:
    """Return how columns with these names are read; raise FileRefusedError.

    `ignored` are names that the operator declares not to be about opting out, in lower case.
    `columns` are those of ours that are read.
    """
    wanted = [name for name in names if name.strip().lower() not in ignored]
    ours = {_fold(name): name for name in columns} | _ALIASES
    if any(_fold(name) == "kind" for name in wanted):
        ours |= {_fold(name): name for name in SUPPRESSIONS}
    read: dict[str, str] = {}
    for name in wanted:
        meant = ours.get(_fold(name))
        if meant in read:
            raise FileRefusedError(
                f"the columns {read[meant]!r} and {name!r} could both be {meant}: "
                "remove one, or use --ignore-column for it"
            )
        if meant is not None:
            read[meant] = name
    unread = tuple(name for name in wanted if name not in read.values())
    return Columns(read, unread, tuple(filter(_is_suspect, unread)))


def check(columns: Columns, status: ImportStatus | None) -> None:
    """Raise FileRefusedError where a file does not say who is subscribed and who is not.

    `status` is what rows get that name none.
    """
    says = {"status", "kind"} & columns.read.keys()
    ends = "kind" in says if status is None else status.ends_consent
    everyone_ends = "status" not in says and ends
    if columns.suspects and not everyone_ends:
        raise FileRefusedError(
            f"these columns may say who opted out, and import does not read them: "
            f"{listed(columns.suspects)}. Put it into a column named status. If everyone in the "
            "file opted out, use --status unsubscribed instead. If a column is not about opting "
            "out, use --ignore-column"
        )
    if not says and status is None:
        raise FileRefusedError(
            "the file does not say who is subscribed: it has no column named status. If everyone "
            "in it opted out, use --status unsubscribed; if everyone in it agreed to get email, "
            "--status subscribed"
        )


def listed(names: Iterable[str]) -> str:
    """Return column names as a sentence has them; columns without a name are left out."""
    return ", ".join(name for name in names if name.strip())


def _is_suspect(name: str) -> bool:
    folded, words = _fold(name), set(re.findall("[a-z0-9]+", name.lower()))
    if _ABOUT_OPTING_OUT.search(folded) or words & _WORDS:
        return True
    return bool(_ABOUT_CONSENT.search(folded)) and not words & _TIMES


def _fold(text: str) -> str:
    """Return the letters and digits of a text, in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in plain if char.isalnum())
