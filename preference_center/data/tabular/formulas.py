"""Add apostrophes so that spreadsheets do not run cells as formulas (requirement S3).

A spreadsheet splits lines at the separator of its user's locale (`;` in Germany and France), no
matter which separator the file was written with. Quotation marks then no longer protect a cell,
and a part of it becomes a cell of its own. So an apostrophe is written at every place where a cell
could begin, not only its start. The spreadsheet removes quotation marks at such a place, so the
character after them is what counts. The triggers are those of OWASP's "CSV Injection", with the
full-width variants that Japanese spreadsheets treat as operators.
"""

import re

TRIGGERS = "'=+\\-@\t\r\n＝＋－＠"
_PLACE = "(?:^|(?<=[;,|\t\r\n]))"
_UNGUARDED = re.compile(f'{_PLACE}(?="*[{TRIGGERS}])')
_GUARD = re.compile(f"{_PLACE}'(?=\"*[{TRIGGERS}])")


def escape_formula(cell: str) -> str:
    """Return a cell that a spreadsheet treats as text, however it splits it.

    >>> escape_formula("bye;=cmd")
    "bye;'=cmd"
    """
    return _UNGUARDED.sub("'", cell)


def unescape_formula(cell: str) -> str:
    """Return the cell that `escape_formula` was called with, exactly.

    >>> unescape_formula("bye;'=cmd")
    'bye;=cmd'
    """
    return _GUARD.sub("", cell) if "'" in cell else cell
