"""Languages: templates of pages and emails in each of them, with translated texts and dates."""

from preference_center.i18n.catalogue import TextsError, own_texts
from preference_center.i18n.languages import Languages
from preference_center.i18n.locales import SOURCE, direction

__all__ = ["SOURCE", "Languages", "TextsError", "direction", "own_texts"]
