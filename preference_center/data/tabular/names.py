"""Fold names and words from files, so that they can be compared."""

import re
import unicodedata

# A small letter before a capital one, or the last capital one before a small one.
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][^\W\d_A-Z])")
_OTHERS = re.compile("[^a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return the letters and digits of a text, in lower case and without accents.

    >>> fold("E-Mail Adrésse 2")
    'emailadresse2'
    """
    if text.isascii():  # The same, several times faster.
        return _OTHERS.sub("", text.lower())
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in plain if char.isalnum())


def fold_letters(text: str) -> str:
    """Return the letters of a text, in lower case and without accents."""
    return "".join(filter(str.isalpha, fold(text)))


def words_of(text: str) -> list[str]:
    """Return the words of a text, also those that only capital letters tell apart.

    >>> words_of("isDNC"), words_of("e-mail_OK"), words_of("DNCEmail")
    (['is', 'DNC'], ['e', 'mail', 'OK'], ['DNC', 'Email'])
    """
    return _WORD.findall(_HUMP.sub(" ", text))
