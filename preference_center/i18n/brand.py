"""The brand's colour and logo, as members of staff publish them in place of the settings."""

from collections.abc import Mapping

from preference_center.i18n.catalogue import Forms
from preference_center.settings.colours import accent

# They are published like a text, under a name and in no language.
NO_LANGUAGE = ""
ACCENT, LOGO = ("accent",), ("logo",)


def values(published: Mapping[Forms, Forms]) -> dict[str, object]:
    """Return the template values that replace those of the settings."""
    found: dict[str, object] = {}
    if colour := published.get(ACCENT):
        found["accent"] = accent(colour[0])
    if logo := published.get(LOGO):
        found["brand_logo"] = logo[0]
    return found
