"""Runs the examples of `docs/sending.md` unchanged, except for keys and ports.

found = examples.run("Mint", "smtplib", port=2525)
found["links"].unsubscribe_url
"""

import re
from pathlib import Path
from typing import Any

from tests.support import make

DOC = (Path(__file__).parents[2] / "docs" / "sending.md").read_text("utf-8")


def documented(heading: str) -> str:
    """Return the Python example under a heading."""
    (section,) = re.findall(rf"(?ms)^## {heading}\n(.+?)(?=^## |\Z)", DOC)
    (code,) = re.findall(r"(?ms)^```python\n(.+?)^```", section)
    return str(code)


def run(*headings: str, port: int) -> dict[str, Any]:
    """Run examples one after another, with the local SMTP server on `port`.

    Return the variables that they define.
    """
    found: dict[str, Any] = {"__name__": "example"}
    for heading in headings:
        code = documented(heading)
        for documents, tests in (
            ('link_keys=["…"]', f"link_keys=[{make.LINK_KEY!r}]"),
            ('identity_key="…"', f"identity_key={make.IDENTITY_KEY!r}"),
            ('"localhost"', '"127.0.0.1"'),
            ("25)", f"{port})"),
        ):
            code = code.replace(documents, tests)
        assert "…" not in code, heading
        exec(compile(code, heading, "exec"), found)
    return found
