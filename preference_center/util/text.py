"""Check and clean texts that are written into headers, pages and terminals."""

import unicodedata

# Controls, lone surrogates, line and paragraph separators. Format characters are allowed: Persian
# needs the zero-width non-joiner, and emoji the joiner.
_BREAKING = {"Cc", "Cs", "Zl", "Zp"}


def is_one_line(text: str) -> bool:
    """Return True if `text` has no line break and no other control character."""
    return not any(unicodedata.category(char) in _BREAKING for char in text)


def without_controls(text: str) -> str:
    """Return a text with a space for each control character except line feeds and tabs.

    A terminal would obey escape sequences.
    """
    return "".join(
        " " if unicodedata.category(char) == "Cc" and char not in "\n\t" else char for char in text
    )
