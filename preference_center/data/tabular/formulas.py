"""An apostrophe before what a spreadsheet would run as a formula (requirement S3).

A spreadsheet splits a line at the separator of its user's country, whatever separator the file
was written with: `;` in Germany and France. After such a split, quotation marks no longer protect
a cell, and a piece of it becomes a cell of its own. So every place where a cell could begin is
guarded, not only the beginning. Quotation marks at such a place are taken off by the spreadsheet,
so that what follows them counts. The triggers are those of OWASP's "CSV Injection", with the
full-width variants that Japanese spreadsheets take as operators.
"""

import re

_TRIGGERS = "'=+\\-@\t\r\n＝＋－＠"
_PLACE = "(?:^|(?<=[;,|\t\r\n]))"
_UNGUARDED = re.compile(f'{_PLACE}(?="*[{_TRIGGERS}])')
_GUARD = re.compile(f"{_PLACE}'(?=\"*[{_TRIGGERS}])")


def escape_formula(cell: str) -> str:
    """Return a cell of which a spreadsheet takes every piece as text."""
    return _UNGUARDED.sub("'", cell)


def unescape_formula(cell: str) -> str:
    """Return what `escape_formula` was given, exactly."""
    return _GUARD.sub("", cell) if "'" in cell else cell
