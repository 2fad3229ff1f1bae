"""All formats, and which one a file has."""

from collections.abc import Iterable, Mapping

from preference_center.data.formats.base import Format, folded_name
from preference_center.data.formats.beehiiv import BEEHIIV
from preference_center.data.formats.brevo import BREVO
from preference_center.data.formats.ghost import GHOST
from preference_center.data.formats.hubspot import HUBSPOT
from preference_center.data.formats.kit import KIT
from preference_center.data.formats.klaviyo import KLAVIYO
from preference_center.data.formats.listmonk import LISTMONK
from preference_center.data.formats.mailchimp import MAILCHIMP
from preference_center.data.formats.mailgun import MAILGUN
from preference_center.data.formats.meaning import Meaning
from preference_center.data.formats.sendgrid import SENDGRID
from preference_center.data.formats.ses import SES
from preference_center.data.formats.substack import SUBSTACK
from preference_center.data.import_words import EMAIL_NAMES, OTHER_EMAIL_NAMES

AUTO, PLAIN = "auto", "csv"  # `PLAIN` files have the columns of `import`.
FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        *(MAILCHIMP, LISTMONK, GHOST, SUBSTACK, BREVO, HUBSPOT),
        *(SENDGRID, SES, MAILGUN, KLAVIYO, BEEHIIV, KIT),
    )
}
NAMES = (AUTO, *FORMATS, PLAIN)
_PERSON = EMAIL_NAMES | OTHER_EMAIL_NAMES | {"id", "subscriberid"}
_STATUS = frozenset({"status", "kind"})


def matching(names: Iterable[str], *, certain: bool = True) -> list[Format]:
    """Return the formats that have files with these columns; only those that are `certain`."""
    folded = frozenset(map(folded_name, names))
    found = ((each, each.variant(folded)) for each in FORMATS.values())
    return [each for each, variant in found if variant and (variant.is_certain or not certain)]


def hints(names: Iterable[str], file: str) -> list[str]:
    """Return how to read a file with these columns, as sentences, if a system may have written it.

    `file` is its name.
    """
    columns = tuple(names)
    return [_hint(each, columns, file) for each in matching(columns, certain=False)]


def _hint(form: Format, names: Iterable[str], file: str) -> str:
    variant = form.variant(frozenset(map(folded_name, names)))
    meaning = form.meaning_of_name(file)
    if meaning is None and variant is not None:
        meaning = variant.meaning
    if meaning is Meaning.UNCLEAR:
        how = ", and keep the name that the file had there"
    else:
        is_of_all = meaning is not None and (meaning.is_stop or meaning is Meaning.NOTHING)
        how = f": each row then counts as {meaning}" if is_of_all else ""
    return f"If it is from {form.title}, use --from {form.name}{how}."


def is_plain(names: Iterable[str]) -> bool:
    """Return True if a file has columns of `import` that say who it is about, and what."""
    columns = tuple(names)
    return is_about_people(columns) and bool(_STATUS & set(map(folded_name, columns)))


def is_about_people(names: Iterable[str]) -> bool:
    """Return True if a column with one of these names says who a row is about."""
    return bool(_PERSON & set(map(folded_name, names)))
