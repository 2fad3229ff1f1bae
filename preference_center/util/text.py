"""Is a text one line that can stand in a header or on a page?"""

import unicodedata

# Controls, lone surrogates, line and paragraph separators. Not format characters: Persian needs
# the zero-width non-joiner, and emoji the joiner.
_BREAKING = {"Cc", "Cs", "Zl", "Zp"}


def is_one_line(text: str) -> bool:
    """Tell whether `text` has no line break and no other control character."""
    return not any(unicodedata.category(char) in _BREAKING for char in text)
