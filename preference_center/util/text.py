"""Check texts that are written into headers and pages."""

import unicodedata

# Controls, lone surrogates, line and paragraph separators. Format characters are allowed: Persian
# needs the zero-width non-joiner, and emoji the joiner.
_BREAKING = {"Cc", "Cs", "Zl", "Zp"}


def is_one_line(text: str) -> bool:
    """Return True if `text` has no line break and no other control character."""
    return not any(unicodedata.category(char) in _BREAKING for char in text)
