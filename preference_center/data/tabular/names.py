"""Fold names and words from files, so that they can be compared."""

import unicodedata


def fold(text: str) -> str:
    """Return the letters and digits of a text, in lower case and without accents.

    >>> fold("E-Mail Adrésse 2")
    'emailadresse2'
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in plain if char.isalnum())


def fold_letters(text: str) -> str:
    """Return the letters of a text, in lower case and without accents."""
    return "".join(filter(str.isalpha, fold(text)))
